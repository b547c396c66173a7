#!/usr/bin/python3
"""The reference of serve_bench.py: what a user would serve a checkpoint with today.

  torch_server.py CHECKPOINT [--batch=N [--wait_ms=MS]]

A Python gRPC server (grpc.aio) in front of eager PyTorch (torch_model.py), of the
project's own service, so that the same clients can ask both. Requests of one row
wait for each other, up to N of them and up to MS milliseconds; then the batch runs
to its end, every expert of every row, and all are answered. With N = 1 it is one
request at a time. Predict answers with the last step; PredictStream with every step,
in one message. There are no budgets: a request with one is refused.

Prints one line when it is ready: torch-server ready grpc=HOST:PORT.
"""

import argparse
import asyncio

import grpc
import numpy as np
import torch

import stubs
from torch_model import Mre

pb, rpc = stubs.load()


class Batches:
    """Collects rows and runs them together, one batch after the other."""

    def __init__(self, model, most, wait):
        self.model, self.most, self.wait = model, most, wait
        self.waiting = asyncio.Queue()

    async def ask(self, pixels):
        """Probabilities of one row, [steps + 1, classes]."""
        answer = asyncio.get_running_loop().create_future()
        self.waiting.put_nowait((pixels, answer))
        return await answer

    async def collect(self):
        loop = asyncio.get_running_loop()
        batch = [await self.waiting.get()]
        until = loop.time() + self.wait
        while len(batch) < self.most:
            try:
                batch.append(self.waiting.get_nowait())
            except asyncio.QueueEmpty:
                if loop.time() >= until:
                    break
                await asyncio.sleep(0.0005)
        return batch

    async def run(self):
        loop = asyncio.get_running_loop()
        while True:
            batch = await self.collect()
            rows = torch.from_numpy(np.stack([row for row, _ in batch]))
            # In another thread, so that the next requests are read meanwhile.
            results = await loop.run_in_executor(None, self.model, rows.float())
            for (_, answer), result in zip(batch, results):
                if not answer.cancelled():
                    answer.set_result(result)


class Service(rpc.AnytimeInferenceServicer):

    def __init__(self, model, batches):
        self.batches = batches
        self.classes = model.config["classes"]
        self.shape = model.config["input"]["shape"]
        self.steps = model.layers * model.experts

    async def GetModel(self, request, context):
        return pb.ModelInfo(
            model_name=request.model_name, model_version=1,
            state=pb.MODEL_STATE_READY, kind="mre", input_shape=self.shape,
            classes=self.classes, max_steps=self.steps, precision="f32")

    async def answer(self, request, context, first):
        """An update with the steps from `first` on."""
        if request.HasField("budget") and request.budget != pb.Budget():
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT,
                                "budget: expected none")
        kind = np.uint8 if request.input.datatype == pb.DATA_TYPE_UINT8 else "<f4"
        pixels = np.frombuffer(request.input.data, kind)
        if pixels.size != np.prod(self.shape):
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT,
                                f"input.data: expected one row of {self.shape}")
        steps = (await self.batches.ask(pixels))[first:]
        most = torch.topk(steps, min(request.output.top_k or 5,
                                     len(self.classes)))
        update = pb.PredictUpdate(request_id=request.request_id,
                                  model_name=request.model_name,
                                  model_version=1)
        for i, (values, indices) in enumerate(zip(most.values.tolist(),
                                                  most.indices.tolist())):
            prediction = update.predictions.add(step=first + i,
                                                confidence=values[0])
            for value, index in zip(values, indices):
                prediction.top.add(class_index=index, probability=value,
                                   label=self.classes[index])
            if request.output.probabilities:
                prediction.probabilities.extend(steps[i].tolist())
        update.predictions[-1].final = True
        update.predictions[-1].stop_reason = pb.STOP_REASON_EXHAUSTED
        return update

    async def Predict(self, request, context):
        return await self.answer(request, context, self.steps)

    async def PredictStream(self, request, context):
        yield await self.answer(request, context, 0)


async def serve(args):
    model = Mre(args.checkpoint)
    batches = Batches(model, args.batch, args.wait_ms * 1e-3)
    server = grpc.aio.server()
    rpc.add_AnytimeInferenceServicer_to_server(Service(model, batches), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"torch-server ready grpc=127.0.0.1:{port}", flush=True)
    await batches.run()


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("checkpoint", help="an mre with mlp experts")
    parser.add_argument("--batch", type=int, default=1, help="rows at most")
    parser.add_argument("--wait_ms", type=float, default=0,
                        help="how long a batch waits to be full")
    args = parser.parse_args()
    torch.set_num_threads(1)  # The products are small; two are slower.
    asyncio.run(serve(args))


if __name__ == "__main__":
    main()
