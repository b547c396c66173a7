// Rows a second of an ONNX file in ONNX Runtime, one thread, without a server:
//   node ort_bench.js DIR FILE.onnx ROWS SECONDS
// ROWS is how many one run takes; DIR is where npm installed onnxruntime-node.
const {createRequire} = require('module');
const path = require('path');

async function main() {
  const [dir, file, rows, seconds] = process.argv.slice(2);
  const ort = createRequire(path.resolve(dir) + '/')('onnxruntime-node');
  const session = await ort.InferenceSession.create(
      file, {intraOpNumThreads: 1, interOpNumThreads: 1});
  const data = Float32Array.from({length: rows * 784}, Math.random);
  const x = new ort.Tensor('float32', data, [Number(rows), 784]);
  for (let i = 0; i < 20; ++i) await session.run({x});
  const start = process.hrtime.bigint();
  let done = 0;
  let took = 0;
  while (took < seconds) {
    await session.run({x});
    done += Number(rows);
    took = Number(process.hrtime.bigint() - start) * 1e-9;
  }
  console.log(done / took);
}

main();
