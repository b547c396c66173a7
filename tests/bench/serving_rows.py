"""The rows of serve_bench.py: each function measures one and returns its lines."""

import contextlib
import os
import socket
import subprocess
import time

import grpc

from line import Line, ratios
from overload_row import overload
from reload_row import reload
from report import HERE, ROOT, spread

STREAMS = 64
STEP_0_MACS = 53888  # of the shipped checkpoint: stem and head
MIB = 1 << 20


def rates(bench, *loads):
    """Requests a second of each load, runs alternated."""
    return bench.alternate(*(lambda load=load: load()["requests_per_s"]
                             for load in loads))


def same_answers(bench, server, other, images=32):
    """Asks both for every step of the same random images; the largest difference
    of a probability. Raises where it shows that they are not the same model."""
    pb, rpc = bench.stubs()
    answers = []
    for program in (server, other):
        with grpc.insecure_channel(program.address) as channel:
            stub = rpc.AnytimeInferenceStub(channel)
            answers.append([
                [p.probabilities for update in stub.PredictStream(
                    bench.request(image)) for p in update.predictions]
                for image in range(images)])
    worst = max(abs(a - b) for one, two in zip(*answers)
                for x, y in zip(one, two) for a, b in zip(x, y))
    if [len(a) for a in answers[0]] != [len(a) for a in answers[1]] or worst > 1e-3:
        raise RuntimeError(f"{other.ready}: probabilities differ by {worst}")
    bench.note(f"probabilities of {images} images, every step: differ by at most "
               f"{worst:.1e}")


def stream(bench):
    """Predictions/s of every step against a bare gRPC echo: stream_bench."""
    bench.note("stream: stream_bench, 5 runs")
    output = subprocess.run(
        [bench.programs.path("tests/bench/stream_bench"),
         os.path.join(ROOT, "model/zoo"), str(STREAMS), str(bench.seconds)],
        check=True, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL).stdout
    runs = [[float(word) for word in words] for words in
            (line.split() for line in output.splitlines()[3:-1])]
    ours, theirs, ratio = zip(*runs)
    return [Line(f"predictions/s, {STREAMS} streams, every step",
                 spread(ours, "{:,.0f}"), "gRPC echo, one a message: "
                 + spread(theirs, "{:,.0f}"), ratio)]


def torch(bench):
    """Requests/s against a Python gRPC server with eager PyTorch."""
    lines = []
    with bench.programs.server() as server, \
            bench.programs.torch() as one, \
            bench.programs.torch("--batch=64", "--wait_ms=5") as batch:
        same_answers(bench, server, one)
        same_answers(bench, server, batch)
        for method in ("stream", "predict"):
            ours, ones, batches = rates(bench, *(
                lambda to=to: bench.load(to, f"--method={method}")
                for to in (server, one, batch)))
            answer = "every step" if method == "stream" else "the last step"
            for name, theirs in (("one request at a time", ones),
                                 ("static batches of 64", batches)):
                lines.append(Line(
                    f"requests/s, {STREAMS} in flight, {answer}",
                    spread(ours, "{:,.0f}"),
                    f"PyTorch behind Python gRPC, {name}: "
                    + spread(theirs, "{:,.0f}"),
                    ratios(ours, theirs), "{:.1f}", 30, 100))
    return lines


def onnxruntime(bench):
    """Requests/s against ONNX Runtime alone, in the process that asks it."""
    if bench.onnxruntime is None:
        bench.note("onnxruntime: left out, needs --onnxruntime=DIR")
        return []
    model = os.path.join(bench.scratch, "dense.onnx")
    macs = bench.python("dense_stack.py", model).strip()

    def theirs(rows):
        return float(subprocess.run(
            ["node", os.path.join(HERE, "ort_bench.js"), bench.onnxruntime,
             model, str(rows), str(bench.seconds)], check=True, text=True,
            stdout=subprocess.PIPE).stdout)
    with bench.programs.server() as server:
        ours, ones, batches = bench.alternate(
            lambda: bench.load(server, "--method=predict")["requests_per_s"],
            lambda: theirs(1), lambda: theirs(64))
    return [Line(f"requests/s over gRPC, {STREAMS} in flight, the last step",
                 spread(ours, "{:,.0f}"),
                 f"ONNX Runtime in process, dense stack of {macs} MACs, "
                 f"{name}: " + spread(theirs, "{:,.0f}") + " rows/s",
                 ratios(ours, theirs))
            for name, theirs in (("a row at a time", ones),
                                 ("batches of 64", batches))]


def batching(bench):
    """Rows of all requests together, against one row at a time."""
    repository = bench.random_model("wide", "--width=256", "--hidden=512")
    # Else the row that waits for the one place would be granted fewer steps.
    flags = ("--brownout=off", "--max_queue_ms=0")
    lines = []
    with bench.programs.server(*flags, repository=repository) as server, \
            bench.programs.server("--max_active_rows=1", *flags,
                                  repository=repository) as alone:
        for method in ("stream", "predict"):
            ours, theirs = rates(bench, *(
                lambda to=to: bench.load(to, f"--method={method}", model="wide")
                for to in (server, alone)))
            answer = "every step" if method == "stream" else "the last step"
            lines.append(Line(
                f"requests/s, width 256, hidden 512, {STREAMS} in flight, "
                f"{answer}", spread(ours, "{:,.0f}"),
                "the same server, one row at a time: "
                + spread(theirs, "{:,.0f}"), ratios(ours, theirs), "{:.1f}",
                5, 10))
    return lines


def predict(bench):
    """Unary calls against streams of the same budget."""
    with bench.programs.server() as server:
        ours, theirs = rates(bench, *(
            lambda flags=flags: bench.load(server, "--max_steps=8", *flags)
            for flags in (("--method=predict",),
                          ("--method=stream", "--delivery=all"))))
    return [Line(f"requests/s of Predict, 8 steps, {STREAMS} in flight",
                 spread(ours, "{:,.0f}"), "PredictStream, each of the 8 steps: "
                 + spread(theirs, "{:,.0f}"), ratios(ours, theirs), "{:.2f}",
                 2, 3)]


def first_prediction(bench):
    """How long one client waits for its first prediction."""
    with bench.programs.server() as server, \
            bench.programs.echo(server) as echo, \
            bench.programs.echo(server, STEP_0_MACS) as short:
        def p50(to, *flags):
            return 1000 * bench.load(
                to, *flags, streams=1)["first_prediction_ms"]["p50"]
        ours, theirs, ours_short, theirs_short = bench.alternate(
            lambda: p50(server), lambda: p50(echo),
            lambda: p50(server, f"--max_macs={STEP_0_MACS}"),
            lambda: p50(short))
    form = "{:.0f}"
    return [Line(f"first prediction, p50, one stream{more}, us",
                 spread(a, form), "gRPC echo, " + ("its first message: "
                 if not more else "its round trip: ") + spread(b, form),
                 ratios(a, b), "{:.2f}", 1.5, 1.2, less=True)
            for more, a, b in (("", ours, theirs),
                               (" of step 0 alone", ours_short,
                                theirs_short))]


def open_streams(bench, streams=10_000, connections=10):
    """Memory of streams that are open and have been served."""
    each, most = [], []
    for _ in bench.repeat():
        with bench.programs.server(f"--max_queued_rows={streams}") as server:
            bench.load(server, seconds=1)  # The pools of 64 rows are there.
            before = server.memory()
            with bench.programs.hold(server, "fashion-mnist", streams,
                                     connections, "served") as held:
                if held.ready != f"held {streams} served {2 * streams} failed 0":
                    raise RuntimeError(held.ready)
                each.append((server.memory() - before) / streams / 1024)
                most.append((server.memory("VmHWM") - before) / streams / 1024)
    return [Line(f"{streams:,} streams open, all served twice: KiB of the "
                 "server a stream", spread(each, "{:.1f}"),
                 f"at the most, while all are asked: {spread(most, '{:.1f}')}",
                 each, "{:.1f}", 64, 16, less=True)]


def unread_streams(bench, streams=1000):
    """What readers that never read cost the server, and the others."""
    # Its 512 steps, unlike the shipped model's 32, are more than gRPC buffers, so
    # that rows pause; a row itself is small.
    repository = bench.random_model("long", "--layers=64", "--experts=8",
                                    "--width=16", "--hidden=16")
    os.symlink(os.path.join(ROOT, "model/zoo/fashion-mnist"),
               os.path.join(repository, "fashion-mnist"))
    lines = []
    for model, steps in (("fashion-mnist", 32), ("long", 512)):
        grown, without, beside = [], [], []
        for _ in bench.repeat():
            with bench.programs.server(repository=repository) as server:
                without.append(bench.load(server)["requests_per_s"])
                before = server.memory()
                begun = server.metric("mre_queue_seconds_count") + streams
                with bench.programs.hold(server, model, streams, streams,
                                         "unread"):
                    await_rows(server, begun)
                    settle(server)
                    grown.append((server.memory() - before) / MIB)
                    beside.append(bench.load(server)["requests_per_s"])
        slower = [100 * (1 - a / b) for a, b in zip(beside, without)]
        readers = f"{streams:,} connections that never read {steps} steps: "
        lines += [
            Line(readers + "MiB that the server grows", spread(grown, "{:.0f}"),
                 "", grown, "{:.0f}", 64, less=True),
            Line(readers + "how much slower others are, %",
                 spread(beside, "{:,.0f}") + " requests/s", "without: "
                 + spread(without, "{:,.0f}"), slower, "{:.1f}", 10,
                 less=True)]
    return lines


def await_rows(server, count, limit=60):
    """Waits until as many rows have begun."""
    until = time.monotonic() + limit
    while server.metric("mre_queue_seconds_count") < count:
        if time.monotonic() > until:
            raise RuntimeError(f"{server.ready}: not all rows begun, {limit} s")
        time.sleep(0.1)


def settle(server, limit=60):
    """Waits until a server takes no step any more."""
    until = time.monotonic() + limit
    before, now = -1, server.metric("mre_step_rows_count")
    while now != before:
        if time.monotonic() > until:
            raise RuntimeError(f"{server.ready}: still busy after {limit} s")
        time.sleep(0.5)
        before, now = now, server.metric("mre_step_rows_count")


def bf16(bench):
    """Accuracy in bf16 and in f32, over all test images."""
    lines = []
    with contextlib.ExitStack() as stack:
        f32 = stack.enter_context(bench.programs.server("--precision=f32"))
        try:
            servers = [stack.enter_context(
                bench.programs.server("--precision=bf16")), f32]
        except RuntimeError:
            bench.note("bf16: left out, this CPU lacks it")
            return []
        for steps in (1, 4, 16, 32):
            half, full = (100 * bench.programs.load(
                server, "--method=predict", f"--max_steps={steps}",
                "--requests=10000", "--warmup=0s", seconds=None)["accuracy"]
                for server in servers)
            lines.append(Line(
                f"accuracy after {steps} experts in bf16, %", f"{half:.2f}",
                f"f32: {full:.2f}; the difference in points",
                [abs(half - full)], "{:.2f}", 0.1, less=True))
    return lines


def cold_start(bench):
    """From the start of the process until its health is SERVING."""
    os.makedirs(os.path.join(bench.scratch, "shipped"), exist_ok=True)
    link = os.path.join(bench.scratch, "shipped/fashion-mnist")
    if not os.path.exists(link):
        os.symlink(os.path.join(ROOT, "model/zoo/fashion-mnist"), link)
    seconds = []
    for _ in bench.repeat():
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = free.getsockname()
        start = time.monotonic()
        process = subprocess.Popen(
            [bench.programs.path("server/mre-server"), "--metrics_port=0",
             f"--grpc_port={address[1]}", "--model_repository="
             + os.path.dirname(link)], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        try:
            await_serving(address)
            seconds.append(time.monotonic() - start)
        finally:
            process.terminate()
            process.wait()
    return [Line("cold start until SERVING, shipped checkpoint, s",
                 spread(seconds, "{:.3f}"), "", seconds, "{:.3f}", 0.5,
                 less=True)]


def await_serving(address, limit=30):
    """Asks for gRPC health as soon as the port is open."""
    until = time.monotonic() + limit
    while True:
        try:
            socket.create_connection(address, 1).close()
            break
        except ConnectionRefusedError:
            if time.monotonic() > until:
                raise
            time.sleep(0.001)
    with grpc.insecure_channel("%s:%d" % address) as channel:
        check = channel.unary_unary("/grpc.health.v1.Health/Check")
        while check(b"", timeout=limit, wait_for_ready=True) != b"\x08\x01":
            time.sleep(0.001)


ROWS = {row.__name__: row for row in (
    stream, torch, onnxruntime, batching, predict, first_prediction, open_streams,
    unread_streams, bf16, cold_start, overload, reload)}
