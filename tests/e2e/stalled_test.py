"""Clients that stay and do not read: they open no window, answer pings, and ask
for predictions in every way there is. What the server holds for them is let go.
"""
import argparse
import struct
import sys
import tempfile

import http2
from server_process import serving, small_repository

try:
    import grpc  # noqa: F401
    import grpc_tools  # noqa: F401
    import numpy  # noqa: F401
except ImportError:
    print("skipped: needs python3-grpcio, python3-grpc-tools, python3-numpy")
    sys.exit(77)

from inference_client import make_stubs
from stubs import image_request

INITIAL_WINDOW_SIZE = 4
OURS = "/mre.v1.AnytimeInference/"
OPEN = "/inference.GRPCInferenceService/"


def calls(pb, own):
    """(path, message) of each kind of call."""
    infer = pb.ModelInferRequest(model_name="fashion-mnist")
    infer.inputs.add(name="input", datatype="UINT8", shape=[1, 28, 28, 1])
    infer.raw_input_contents.append(bytes(28 * 28))

    def image(**output):
        return image_request(own, output=own.Output(**output))
    yield OURS + "Predict", image()
    yield OURS + "PredictStream", image()
    yield OURS + "PredictStream", image(delivery=own.DELIVERY_LATEST)
    yield OURS + "PredictStream", image(delivery=own.DELIVERY_ALL)
    yield OURS + "PredictInteractive", own.PredictControl(request_id="a",
                                                          open=image())
    yield OURS + "ListModels", own.ListModelsRequest()
    yield OPEN + "ModelInfer", infer
    yield OPEN + "ModelStreamInfer", infer
    yield OPEN + "ModelConfig", pb.ModelConfigRequest(name="fashion-mnist")


def check_cut_off(target, wanted):
    """Every call ends though nothing of it was read."""
    connection = http2.Connection(target)
    connection.send(http2.frame(http2.SETTINGS, payload=struct.pack(
        ">HI", INITIAL_WINDOW_SIZE, 0)))
    # Known to the server before the first call.
    connection.send(http2.frame(http2.PING, payload=b"settings"))
    for kind, flags, _, _ in connection.frames():
        if kind == http2.PING and flags & http2.ACK:
            break
    left = {}
    for i, (path, message) in enumerate(wanted):
        stream, raw = 2 * i + 1, message.SerializeToString()
        left[stream] = path
        connection.send(
            http2.headers_of_call(path, stream) +
            http2.frame(http2.DATA, http2.END_STREAM, stream,
                        struct.pack(">BI", 0, len(raw)) + raw))
    for kind, flags, stream, payload in connection.frames():
        assert kind != http2.DATA or not payload, (stream, payload)
        ends = kind == http2.HEADERS and flags & http2.END_STREAM
        if ends or kind == http2.RST_STREAM:
            left.pop(stream, None)
        if not left:
            break
    assert not left, f"the server hung up before the end of {left}"
    connection.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    parser.add_argument("--source", required=True)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as root, tempfile.TemporaryFile() as log:
        pb, _, own, _ = make_stubs(args.source, root)
        wanted = list(calls(pb, own))
        with serving(args.server, small_repository(args.source, root),
                     ["--stall_seconds=1"], stderr=log) as target:
            check_cut_off(target, wanted)
        log.seek(0)
        lines = [line for line in log.read().decode().splitlines()
                 if "its client does not read" in line]
        assert len(lines) == len(wanted), lines
    print("1 passed, 0 failed")


if __name__ == "__main__":
    main()
