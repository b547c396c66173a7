"""What load balancers and operators find on the gRPC port when they ask for it:
load reports, compression, channelz, and reflection only where it is wanted.

The messages of channelz and ORCA are so small that they are read by their field
numbers; no stubs of them are needed.
"""
import argparse
import base64
import socket
import struct
import subprocess
import sys
import tempfile
import threading

from server_process import serving, small_repository

try:
    import grpc
    import grpc_tools  # noqa: F401
except ImportError:
    print("skipped: needs python3-grpcio and python3-grpc-tools")
    sys.exit(77)

from stubs import generate_stubs, image_request

LIST_SERVICES = b"\x3a\x00"  # ServerReflectionRequest.list_services = ""
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"


def fields(message):
    """(number, value) of each field of a protobuf message: lengths as bytes."""
    def varint():
        nonlocal at
        value, shift = 0, 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return value
    at = 0
    while at < len(message):
        key = varint()
        if key & 7 == 0:
            value = varint()
        elif key & 7 == 1:
            value = message[at:at + 8]
            at += 8
        else:
            assert key & 7 == 2, key
            length = varint()
            value = message[at:at + length]
            at += length
        yield key >> 3, value


def double(raw):
    return struct.unpack("<d", raw)[0]


def call_with_curl(target, method, request):
    """The messages of the answer, and its headers and trailers.

    gRPC's own clients keep the trailer of a load report to themselves.
    """
    message = request.SerializeToString()
    answer = subprocess.run(
        ["curl", "-sS", "--http2-prior-knowledge", "--max-time", "60",
         "-H", "content-type: application/grpc", "-H", "te: trailers",
         "--dump-header", "/dev/stderr", "--data-binary", "@-",
         f"http://{target}/mre.v1.AnytimeInference/{method}"],
        input=struct.pack(">BI", 0, len(message)) + message,
        capture_output=True, check=True)
    headers = [line.split(": ", 1)
               for line in answer.stderr.decode().splitlines() if ": " in line]
    messages, body = [], answer.stdout
    while body:
        length = struct.unpack(">I", body[1:5])[0]
        messages.append(body[5:5 + length])
        body = body[5 + length:]
    return messages, headers


def load_report(headers):
    """xds.data.orca.v3.OrcaLoadReport of a call that has ended, or None."""
    reports = [value for key, value in headers
               if key == "endpoint-load-metrics-bin"]
    if not reports:
        return None
    assert len(reports) == 1, reports
    report = {"cost": {}, "utilization": {}}
    names = {1: "cpu", 2: "memory"}
    maps = {4: "cost", 5: "utilization"}
    raw = base64.b64decode(reports[0] + "=" * (-len(reports[0]) % 4))
    for number, value in fields(raw):
        if number in names:
            report[names[number]] = double(value)
        else:
            entry = dict(fields(value))
            report[maps[number]][entry[1].decode()] = double(entry[2])
    return report


def check_reports(pb, target, wanted):
    request = image_request(pb, budget=pb.Budget(max_steps=3))
    messages, headers = call_with_curl(target, "Predict", request)
    report = load_report(headers)
    if not wanted:
        assert report is None, report
        return
    # Each call's own cost, and shares of 1.
    macs = pb.PredictUpdate.FromString(messages[0]).predictions[0].macs
    assert macs > 0 and report["cost"] == {"macs": macs}, report
    assert set(report["utilization"]) == {"active_rows", "queued_rows"}, report
    for share in (report["cpu"], report["memory"],
                  *report["utilization"].values()):
        assert 0 <= share <= 1, report
    assert report["memory"] > 0, report
    _, headers = call_with_curl(target, "PredictStream", request)
    assert load_report(headers)["cost"] == {"macs": macs}, headers
    _, headers = call_with_curl(target, "Predict",
                                pb.PredictRequest(model_name="none"))
    assert load_report(headers)["cost"] == {"macs": 0}, headers


def check_reflection(channel, wanted):
    call = channel.stream_stream(REFLECTION)
    try:
        answer = next(iter(call(iter([LIST_SERVICES]))))
        assert wanted and b"mre.v1.AnytimeInference" in answer, answer
    except grpc.RpcError as error:
        assert not wanted and error.code() == grpc.StatusCode.UNIMPLEMENTED, error


def check_channelz(channel, wanted):
    """GetServers must tell of one server with calls and a connection."""
    try:
        answer = channel.unary_unary("/grpc.channelz.v1.Channelz/GetServers")(
            b"")
    except grpc.RpcError as error:
        assert not wanted and error.code() == grpc.StatusCode.UNIMPLEMENTED, error
        return
    assert wanted
    servers = [value for number, value in fields(answer) if number == 1]
    assert len(servers) == 1, servers
    server = dict(fields(servers[0]))
    data = dict(fields(server[2]))
    assert data.get(2, 0) > 0, data     # calls_started
    # The server takes connections itself, so gRPC knows of no listening socket.
    sockets = channel.unary_unary("/grpc.channelz.v1.Channelz/GetServerSockets")(
        b"\x08\x01")
    assert any(number == 1 for number, _ in fields(sockets)), sockets


def decode(updates):
    """What of the answers is a function of the request alone."""
    rows = []
    for update in updates:
        for p in update.predictions:
            p.ClearField("elapsed")
            rows.append(p.SerializeToString(deterministic=True))
    return rows


def check_compression(pb, target, rpc, expected_answers):
    """Answers to compressed requests are those to plain ones, bit for bit."""
    rows = 64
    request = image_request(
        pb, rows, output=pb.Output(delivery=pb.DELIVERY_ALL,
                                   probabilities=True))
    answers = []
    for algorithm in (grpc.Compression.NoCompression, grpc.Compression.Gzip,
                      grpc.Compression.Deflate):
        with grpc.insecure_channel(target, compression=algorithm) as channel:
            stub = rpc.AnytimeInferenceStub(channel)
            unary = decode([stub.Predict(request)])
            # A row's steps are in order, rows among each other are not.
            stream = sorted(decode(stub.PredictStream(request)))
        assert len(unary) == rows and len(stream) > rows
        answers.append((unary, stream))
    assert answers[0] == answers[1] == answers[2]
    if expected_answers is not None:
        assert answers[0] == expected_answers
    return answers[0]


def check_compression_is_refused(pb, target, rpc):
    with grpc.insecure_channel(
            target, compression=grpc.Compression.Gzip) as channel:
        try:
            rpc.AnytimeInferenceStub(channel).Predict(image_request(pb, 64))
            raise AssertionError("a compressed request was taken")
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.UNIMPLEMENTED, error


def answer_bytes(pb, rpc, target):
    """Bytes on the wire that the server sends for one answer of many rows."""
    request = image_request(pb, 64, output=pb.Output(probabilities=True))
    with Counter(target) as counter:
        with grpc.insecure_channel(f"127.0.0.1:{counter.port}") as channel:
            rpc.AnytimeInferenceStub(channel).Predict(request)
    return counter.received


class Counter:
    """A TCP proxy of one connection that counts what the server sends."""

    def __init__(self, target):
        self.target = target
        self.received = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.thread.join()
        self.listener.close()

    def run(self):
        client, _ = self.listener.accept()
        host, port = self.target.rsplit(":", 1)
        server = socket.create_connection((host, int(port)))
        upstream = threading.Thread(target=self.forward, args=(client, server))
        upstream.start()
        while data := server.recv(1 << 16):
            self.received += len(data)
            client.sendall(data)
        client.close()
        upstream.join()
        server.close()

    @staticmethod
    def forward(client, server):
        while data := client.recv(1 << 16):
            server.sendall(data)
        server.shutdown(socket.SHUT_WR)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    parser.add_argument("--source", required=True)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        pb, rpc = generate_stubs(args.source, root)
        repository = small_repository(args.source, root)

        with serving(args.server, repository) as target:
            check_reports(pb, target, wanted=False)
            with grpc.insecure_channel(target) as channel:
                check_reflection(channel, wanted=True)
                check_channelz(channel, wanted=False)
            plain = check_compression(pb, target, rpc, None)
            plain_bytes = answer_bytes(pb, rpc, target)

        with serving(args.server, repository, [
                "--load_reports=on", "--reflection=off", "--channelz=on",
                "--response_compression=gzip"]) as target:
            check_reports(pb, target, wanted=True)
            with grpc.insecure_channel(target) as channel:
                check_reflection(channel, wanted=False)
                check_channelz(channel, wanted=True)
            check_compression(pb, target, rpc, plain)
            gzip_bytes = answer_bytes(pb, rpc, target)
            assert gzip_bytes < plain_bytes / 2, (gzip_bytes, plain_bytes)

        with serving(args.server, repository,
                     ["--accept_compression=off"]) as target:
            check_compression_is_refused(pb, target, rpc)

    refused = subprocess.run(
        [args.server, "--model_repository=x", "--channelz=on",
         "--host=0.0.0.0"], capture_output=True, text=True)
    assert refused.returncode == 2 and "--channelz" in refused.stderr, refused
    print("1 passed, 0 failed")


if __name__ == "__main__":
    main()
