"""A Python client made from the published proto alone, against the server.

`generate_stubs` (in stubs.py) makes the stubs, `check` asks for a stream of
predictions, and for a single one.
"""
import argparse
import sys
import tempfile

from server_process import serving, small_repository

try:
    import grpc
    import grpc_tools  # noqa: F401
except ImportError:
    print("skipped: needs python3-grpcio and python3-grpc-tools")
    sys.exit(77)

from stubs import generate_stubs


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    parser.add_argument("--source", required=True)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as out:
        pb, rpc = generate_stubs(args.source, out)
        with serving(args.server, small_repository(args.source, out)) as target:
            check(pb, rpc.AnytimeInferenceStub(grpc.insecure_channel(target)))
    print("1 passed, 0 failed")


def check(pb, stub):
    request = pb.PredictRequest(
        model_name="fashion-mnist",
        input=pb.Tensor(datatype=pb.DATA_TYPE_UINT8, shape=[28, 28, 1],
                        data=bytes(range(256)) * 3 + bytes(16)),
        budget=pb.Budget(max_steps=6),
        output=pb.Output(delivery=pb.DELIVERY_ALL, top_k=3))
    steps = [p for update in stub.PredictStream(request)
             for p in update.predictions]
    assert [p.step for p in steps] == list(range(7)), steps
    assert steps[-1].final
    assert steps[-1].stop_reason == pb.STOP_REASON_MAX_STEPS

    final = stub.Predict(request).predictions[0]
    assert final.top[0] == steps[-1].top[0], (final, steps[-1])
    assert len(final.top) == 3
    print(f"{final.top[0].label} {final.top[0].probability:.3f} "
          f"after {final.step} experts, {final.macs} MACs")

    request.input.shape[0] = 27
    try:
        stub.Predict(request)
        raise AssertionError("a wrong shape was accepted")
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert "input.shape" in error.details()


if __name__ == "__main__":
    main()
