"""What an operator sees: the configuration file, --check, and the log."""
import argparse
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

from server_process import serving, small_repository, start_server

try:
    import grpc
    import grpc_tools  # noqa: F401
except ImportError:
    print("skipped: needs python3-grpcio and python3-grpc-tools")
    sys.exit(77)

from stubs import generate_stubs, image_request

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"


def run(args, *flags):
    return subprocess.run([args.server, *flags], capture_output=True, text=True,
                          cwd=args.source, timeout=100)


def check_check(args, root):
    """All is well; then all that is wrong, and nothing listens."""
    sample = run(args, "--config=deploy/mre-server.json", "--check")
    assert sample.returncode == 0, sample
    ready = [line for line in sample.stdout.splitlines()
             if line.startswith("ok ")]
    assert len(ready) == 14, sample.stdout
    assert any(line.startswith("ok fashion-mnist version 1, ")
               for line in ready), ready

    repository = small_repository(args.source, os.path.join(root, "check"))
    for name in ("torn", "empty"):
        os.makedirs(f"{repository}/{name}/1")
    with open(f"{repository}/torn/1/model.safetensors", "wb") as file:
        file.write(b"torn")
    config = os.path.join(root, "config.json")
    with open(config, "w", encoding="utf-8") as file:
        models = {"gone": {}, "fashion-mnist": {"labels": {"next": 9}}}
        json.dump({"model_repository": repository, "models": models}, file)
    bad = run(args, f"--config={config}", "--check")
    assert bad.returncode == 1, bad
    assert re.search(r"^ok fashion-mnist version 1,", bad.stdout, re.M), bad
    for name in ("torn", "empty"):
        assert re.search(f"^refused {name} version 1: ", bad.stdout, re.M), bad
        assert f"refused {name} version 1: " in bad.stderr, bad
    for place in ("gone", "fashion-mnist.labels.next"):
        assert f"{config}: models.{place}: " in bad.stderr, bad

    # What the server would not start with, is said too.
    for flag, value in (("token_file", config), ("tls_cert_file", config)):
        flags = [f"--model_repository={args.source}/model/zoo",
                 f"--{flag}={value}", "--check"]
        if flag == "tls_cert_file":
            flags.append(f"--tls_key_file={value}")
        door = run(args, *flags)
        assert door.returncode == 1 and f"--{flag}" in door.stderr, door

    with open(config, "w", encoding="utf-8") as file:
        json.dump({"threads": 0, "unheard_of": 1}, file)
    worse = run(args, f"--config={config}", "--check")
    assert worse.returncode == 1 and worse.stdout == "", worse
    for key in ("threads", "unheard_of"):
        assert f"mre-server: {config}: {key}: " in worse.stderr, worse


def check_ports(args, repository):
    """A port that is taken is found before models are loaded."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = run(args, f"--model_repository={repository}",
                      f"--grpc_port={port}", "--metrics_port=0")
    assert refused.returncode == 1, refused
    assert "--grpc_port=0 takes a free port" in refused.stderr, refused
    assert "loaded" not in refused.stderr, refused
    foreign = run(args, f"--model_repository={repository}", "--grpc_port=0",
                  "--metrics_port=0", "--host=192.0.2.1")
    assert "--host must be an address of this machine" in foreign.stderr, foreign


def leaves_to_one_thread(process, number):
    """Whether the process has blocked a signal in its first thread."""
    with open(f"/proc/{process.pid}/status", encoding="utf-8") as status:
        blocked = re.search(r"^SigBlk:\s*(\w+)$", status.read(), re.M).group(1)
    return bool(int(blocked, 16) >> (number - 1) & 1)


def starts_and_ends(args, repository):
    """The exit code and the log of a server that is told to end as it starts."""
    with subprocess.Popen(
            [args.server, f"--model_repository={repository}", "--grpc_port=0",
             "--metrics_port=0", "--version_policy=all"],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            text=True) as server:
        deadline = time.monotonic() + 60
        while not leaves_to_one_thread(server, signal.SIGTERM):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        server.terminate()
        _, log = server.communicate(timeout=60)
    return server.returncode, log


def check_stop_before_ready(args, root):
    """A start that takes its time ends when it is told to."""
    repository = os.path.join(root, "many")
    model = os.path.join(root, "model.safetensors")
    shutil.copy(f"{args.source}/model/zoo/usps-mlp/1/model.safetensors", model)
    versions = 0
    for more in (50, 200, 800):
        for _ in range(more):
            versions += 1
            os.makedirs(f"{repository}/usps/{versions}")
            os.link(model, f"{repository}/usps/{versions}/model.safetensors")
        code, log = starts_and_ends(args, repository)
        if code == 1:
            break
    # Else it was ready before it was told, with so many versions to load.
    assert code == 1 and "before the server is ready" in log, (versions, log)


def check_drain_delay(args, pb, rpc, repository):
    """It says that it leaves, and serves on until balancers have seen it."""
    server, target, _ = start_server(args.server, repository,
                                     ["--drain_delay_seconds=300"],
                                     stderr=subprocess.PIPE)
    with server, grpc.insecure_channel(target) as channel:
        ready = channel.unary_unary("/inference.GRPCInferenceService/ServerReady")
        health = channel.unary_unary("/grpc.health.v1.Health/Check")
        assert ready(b"") == b"\x08\x01" and health(b"") == b"\x08\x01"
        server.terminate()
        deadline = time.monotonic() + 60
        while ready(b"") != b"" or health(b"") != b"\x08\x02":
            assert time.monotonic() < deadline
        ask(pb, rpc.AnytimeInferenceStub(channel))
        server.terminate()
        _, log = server.communicate(timeout=60)
    assert server.returncode == 1, server
    assert "second signal" in log, log


def check_metrics_are_named(args, pb, rpc, repository):
    """server/README.md names every series, and none that there is not."""
    server, target, metrics = start_server(args.server, repository)
    with server:
        with grpc.insecure_channel(target) as channel:
            ask(pb, rpc.AnytimeInferenceStub(channel))
        page = urllib.request.urlopen(f"http://{metrics}/metrics", timeout=60)
        served = set(re.findall(r"^# HELP (mre_\w+)", page.read().decode(), re.M))
        server.terminate()
        assert server.wait(60) == 0
    with open(f"{args.source}/server/README.md", encoding="utf-8") as readme:
        section = readme.read().split("\n## Metrics\n")[1].split("\n## ")[0]
    named = set(re.findall(r"`(mre_\w+)`", section))
    # Only a server with TLS has this one.
    assert named - served == {"mre_tls_certificate_expiry_seconds"}, named - served
    assert served <= named, served - named


def check_log(args, root, pb, rpc, repository):
    """Each line is an object; a call's line says whose it was."""
    path = os.path.join(root, "log")
    with open(path, "wb") as log, serving(
            args.server, repository,
            ["--log_format=json", "--log_requests=all"], stderr=log) as target:
        with grpc.insecure_channel(target) as channel:
            ask(pb, rpc.AnytimeInferenceStub(channel))
    with open(path, "rb") as log:
        lines = [json.loads(line) for line in log.read().decode().splitlines()]
    for line in lines:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z",
                            line["time"]), line
        assert line["severity"] in ("INFO", "WARNING", "ERROR"), line
    requests = {line.get("request_id", line["method"]): line for line in lines
                if line["message"] == "request"}
    assert set(requests) == {"ours", "theirs", "a\n\u00e9", "one", "two",
                             "ListModels"}, requests

    ours = requests["ours"]
    assert ours["method"] == "Predict" and ours["code"] == "OK", ours
    assert ours["model"] == "fashion-mnist" and ours["version"] == 1, ours
    assert ours["rows"] == 2 and ours["steps"] == 6, ours
    assert 0 <= ours["queued_ms"] <= ours["total_ms"], ours
    assert ours["peer"].startswith("ipv4:127.0.0.1:"), ours
    assert ours["trace_id"] == TRACE and ours["parent_id"] == SPAN, ours

    theirs = requests["theirs"]
    assert theirs["method"] == "PredictStream", theirs
    assert "trace_id" not in theirs, theirs  # its traceparent was not valid

    failed = requests["a\n\u00e9"]
    assert failed["code"] == "NOT_FOUND" and "nothing" in failed["error"], failed
    assert failed["severity"] == "WARNING" and "rows" not in failed, failed

    for name, code in (("one", "OK"), ("two", "INVALID_ARGUMENT")):
        line = requests[name]
        assert line["method"] == "PredictInteractive", line
        assert line["code"] == code and line["trace_id"] == TRACE, line


def ask(pb, stub):
    trace = ("traceparent", f"00-{TRACE}-{SPAN}-01")
    budget = pb.Budget(max_steps=3)
    # The message's id counts more than the header's.
    stub.Predict(image_request(pb, 2, budget=budget, request_id="ours"),
                 metadata=[trace, ("x-request-id", "header")])
    list(stub.PredictStream(
        image_request(pb, budget=budget),
        metadata=[(trace[0], trace[1].upper()), ("x-request-id", "theirs")]))
    stub.ListModels(pb.ListModelsRequest())
    try:
        stub.Predict(pb.PredictRequest(model_name="nothing",
                                       request_id="a\n\u00e9"))
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.NOT_FOUND, error
    controls = [
        pb.PredictControl(request_id="one",
                          open=image_request(pb, budget=budget)),
        pb.PredictControl(request_id="two",
                          open=pb.PredictRequest(model_name="fashion-mnist")),
    ]
    list(stub.PredictInteractive(iter(controls), metadata=[trace]))


def check_errors_are_few(args, root, pb, rpc, repository):
    """By default what goes well is not logged, and a flood is ten lines."""
    path = os.path.join(root, "flood")
    calls = 200
    with open(path, "wb") as log, serving(
            args.server, repository, stderr=log) as target:
        with grpc.insecure_channel(target) as channel:
            stub = rpc.AnytimeInferenceStub(channel)
            stub.Predict(image_request(pb))
            bad = [stub.Predict.future(pb.PredictRequest(model_name="nothing"))
                   for _ in range(calls)]
            for call in bad:
                assert call.code() == grpc.StatusCode.NOT_FOUND
    with open(path, encoding="utf-8") as log:
        text = log.read()
    lines = text.count(" request method=")
    left_out = sum(int(n) for n in re.findall(r" requests=(\d+)", text))
    assert " code=OK" not in text and lines + left_out == calls, text
    # Ten for each second that the calls may have taken.
    assert lines < calls / 2, text


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    parser.add_argument("--source", required=True)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        pb, rpc = generate_stubs(args.source, root)
        repository = small_repository(args.source, root)
        check_check(args, root)
        check_ports(args, repository)
        check_stop_before_ready(args, root)
        check_drain_delay(args, pb, rpc, repository)
        check_metrics_are_named(args, pb, rpc, repository)
        check_log(args, root, pb, rpc, repository)
        check_errors_are_few(args, root, pb, rpc, repository)
    print("1 passed, 0 failed")


if __name__ == "__main__":
    main()
