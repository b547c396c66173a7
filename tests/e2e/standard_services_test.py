"""What grpcurl, load balancers and Kubernetes rely on: reflection and health.

The messages are so small that their bytes are written out here; no stub of
these services is needed.
"""
import argparse
import sys
import tempfile
import time

from server_process import small_repository, start_server

try:
    import grpc
except ImportError:
    print("skipped: needs python3-grpcio")
    sys.exit(77)

SERVING = b"\x08\x01"
NOT_SERVING = b"\x08\x02"
LIST_SERVICES = b"\x3a\x00"  # ServerReflectionRequest.list_services = ""


def check_reflection(channel):
    call = channel.stream_stream(
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
    answer = next(iter(call(iter([LIST_SERVICES]))))
    for service in (b"mre.v1.AnytimeInference",
                    b"inference.GRPCInferenceService",
                    b"grpc.health.v1.Health"):
        assert service in answer, (service, answer)


def health_request(service):
    return b"\x0a" + bytes([len(service)]) + service if service else b""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    parser.add_argument("--source", required=True)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        server, target, _ = start_server(args.server,
                                         small_repository(args.source, root))
    try:
        channel = grpc.insecure_channel(target)
        check_reflection(channel)
        watch = channel.unary_stream("/grpc.health.v1.Health/Watch")
        watches = [watch(health_request(name), timeout=60)
                   for name in (b"", b"mre.v1.AnytimeInference",
                                b"inference.GRPCInferenceService")]
        for call in watches:
            assert next(call) == SERVING
        start = time.monotonic()
        server.terminate()
        for call in watches:
            assert next(call) == NOT_SERVING
        assert server.wait(60) == 0
        # A watcher must not hold the server up.
        assert time.monotonic() - start < 20
    finally:
        server.kill()
        server.wait(60)
    print("1 passed, 0 failed")


if __name__ == "__main__":
    main()
