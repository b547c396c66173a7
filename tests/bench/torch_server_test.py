"""The reference server's answers against numpy's (tests/golden/forward.py).

Asks for more images at once than one batch holds, so that it makes several. Exits
with 77 where a package is missing.
"""

import importlib.util
import os
import sys

sys.dont_write_bytecode = True
if not all(map(importlib.util.find_spec, ("torch", "numpy", "grpc",
                                          "grpc_tools"))):
    print("skipped: needs python3-torch, -numpy, -grpcio and -grpc-tools")
    sys.exit(77)

import grpc  # noqa: E402
import numpy as np  # noqa: E402

import stubs  # noqa: E402
from programs import SHIPPED, Program  # noqa: E402
from report import HERE  # noqa: E402

sys.path.insert(0, os.path.join(HERE, "../golden"))
import forward  # noqa: E402

IMAGES = 10


def main():
    pb, rpc = stubs.load()
    pixels = np.random.default_rng(1).integers(0, 256, (IMAGES, 784), np.uint8)
    expected = forward.forward(forward.Checkpoint(SHIPPED), pixels).probabilities
    requests = [pb.PredictRequest(
        model_name="any", output=pb.Output(probabilities=True, top_k=1),
        input=pb.Tensor(datatype=pb.DATA_TYPE_UINT8, shape=[28, 28, 1],
                        data=image.tobytes())) for image in pixels]
    with Program(sys.executable, os.path.join(HERE, "torch_server.py"), SHIPPED,
                 "--batch=4", "--wait_ms=50") as server, \
            grpc.insecure_channel(server.address) as channel:
        stub = rpc.AnytimeInferenceStub(channel)
        streams = [stub.PredictStream(request) for request in requests]
        for stream, image in zip(streams, expected):
            steps = [p for update in stream for p in update.predictions]
            assert [p.step for p in steps] == list(range(len(image)))
            assert [p.final for p in steps] == [False] * 32 + [True]
            np.testing.assert_allclose([p.probabilities for p in steps], image,
                                       atol=1e-5)
            last = stub.Predict(requests[0]).predictions[0]
            assert last.step == 32 and last.final
            assert last.top[0].class_index == expected[0, -1].argmax()
        requests[0].budget.max_steps = 1
        try:
            stub.Predict(requests[0])
            raise AssertionError("a budget was accepted")
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    print("1 passed, 0 failed")


if __name__ == "__main__":
    main()
