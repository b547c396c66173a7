#!/usr/bin/python3
"""The serving table: mre-server's figures as ratios against named references.

  cmake --preset bench && cmake --build --preset bench --target serve_bench
  tests/bench/serve_bench.py --build=build/bench

Starts real servers, drives them and their references with mre-loadtest, and prints
one table: median and range of several alternated runs, the ratio taken run by run.
Rows (serving_rows.py says what each does):

  stream            predictions/s of 64 streams against a bare gRPC echo
  torch             requests/s against PyTorch behind a Python gRPC server
  onnxruntime       against ONNX Runtime; needs --onnxruntime=DIR, made by
                    "cd DIR && npm install --ignore-scripts onnxruntime-node@1.16.3"
  batching          all rows together against one at a time, a larger model
  predict           unary calls against streams
  first_prediction  its time for one client, against the echo
  open_streams      memory of 10,000 open streams
  unread_streams    what 1,000 readers that never read cost
  bf16              accuracy in bf16 and f32
  cold_start        time from exec to SERVING
  overload          goodput at twice the capacity against at the capacity
  reload            p99 while models are replaced against while none is

Needs Debian's python3-torch, python3-numpy, python3-grpcio and python3-grpc-tools;
exits with 77 where one is missing. All takes about 13 minutes. Asserts nothing of a
time; stops where a request failed or the references' answers differ.
"""

import argparse
import importlib.util
import os
import random
import subprocess
import sys
import tempfile

from report import HERE, ROOT, machine

NEEDED = {"torch": "python3-torch", "numpy": "python3-numpy",
          "grpc": "python3-grpcio", "grpc_tools": "python3-grpc-tools"}


class Bench:
    """What the rows measure with."""

    def __init__(self, args, programs, scratch):
        self.programs, self.scratch = programs, scratch
        self.runs = args.runs or (1 if args.quick else 5)
        self.seconds = args.seconds or (1 if args.quick else 3)
        self.onnxruntime = args.onnxruntime
        self.row = ""
        self._stubs = None

    def note(self, text):
        print(text, file=sys.stderr, flush=True)

    def repeat(self):
        """Once for each run, with a line of progress."""
        for run in range(self.runs):
            self.note(f"{self.row}: run {run + 1} of {self.runs}")
            yield run

    def alternate(self, *measure):
        """The figures of each, in runs that take turns."""
        figures = [[] for _ in measure]
        for _ in self.repeat():
            for figure, call in zip(figures, measure):
                figure.append(call())
        return figures

    def load(self, server, *flags, seconds=None, **more):
        return self.programs.load(server, *flags,
                                  seconds=seconds or self.seconds, **more)

    def stubs(self):
        if self._stubs is None:
            import stubs
            self._stubs = stubs.load()
        return self._stubs

    def request(self, seed):
        """Every step of a random image, with all probabilities."""
        pb, _ = self.stubs()
        return pb.PredictRequest(
            model_name="fashion-mnist", input=pb.Tensor(
                datatype=pb.DATA_TYPE_UINT8, shape=[28, 28, 1],
                data=random.Random(seed).randbytes(28 * 28)),
            output=pb.Output(probabilities=True, delivery=pb.DELIVERY_ALL))

    def random_model(self, name, *shape):
        """A repository with a model that has seen one batch; made once."""
        repository = os.path.join(self.scratch, name)
        if os.path.exists(repository):
            return repository
        self.programs.train(
            "fit", "--dataset=fashion-mnist", *shape, "--max_updates=1",
            "--batch=8", "--limit_train=8", "--validation=8", "--threads=1",
            "--augment=none", "--router_training=straight-through",
            f"--out={repository}/{name}/1/model.safetensors")
        return repository

    def python(self, script, *words):
        """What a script beside this one prints."""
        return subprocess.run(
            [sys.executable, os.path.join(HERE, script), *words], check=True,
            text=True, stdout=subprocess.PIPE).stdout


def parse(names):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--build", default=os.path.join(ROOT, "build/bench"),
                        help="where the programs were built (build/bench)")
    parser.add_argument("--only", default="", metavar="ROW[,ROW...]",
                        help="these rows instead of all")
    parser.add_argument("--quick", action="store_true",
                        help="1 run of 1 s: to see that all works")
    parser.add_argument("--runs", type=int, help="of each row (5)")
    parser.add_argument("--seconds", type=float, help="of each run (3)")
    parser.add_argument("--onnxruntime", metavar="DIR",
                        help="where npm installed onnxruntime-node")
    args = parser.parse_args()
    args.rows = args.only.split(",") if args.only else names
    for row in args.rows:
        if row not in names:
            parser.error(f"--only: expected some of {', '.join(names)}, got "
                         f"{row!r}")
    return args


def main():
    missing = [package for module, package in NEEDED.items()
               if importlib.util.find_spec(module) is None]
    if missing and not {"-h", "--help"} & set(sys.argv):
        print(f"serve_bench: skipped: this Python lacks {', '.join(missing)} "
              "(apt-get install them, and run it with /usr/bin/python3)")
        sys.exit(77)
    from programs import Programs
    from serving_rows import ROWS
    args = parse(list(ROWS))
    programs = Programs(os.path.abspath(args.build))
    if programs.missing():
        sys.exit(f"serve_bench: not in {args.build}: "
                 f"{', '.join(programs.missing())}; build them, or say where "
                 "they are with --build")
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(args, programs, scratch)
        print(f"{machine()}; load {os.getloadavg()[0]:.1f} at the start; median "
              f"and range of {bench.runs} alternated runs of {bench.seconds:g} s "
              "(stream: always 5; overload: of 20,000 requests)")
        print("\n| row | what | here | reference | ratio, or the figure itself "
              "| target | |\n| --- | --- | --- | --- | --- | --- | --- |",
              flush=True)
        for name in args.rows:
            bench.row = name
            for line in ROWS[name](bench):
                print("| " + " | ".join([name] + line.cells()) + " |",
                      flush=True)


if __name__ == "__main__":
    main()
