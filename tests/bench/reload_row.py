"""The row of serve_bench.py in which models are replaced while they are asked."""

import contextlib
import os
import shutil
import threading

from line import Line, ratios
from programs import SHIPPED
from report import spread

EVERY_S = 0.2
STREAMS = 64


def reload(bench):
    """The p99 of a stream of the shipped model while a file is replaced every
    200 ms, against while none is: the file of a model of width 256 and hidden 512
    that nobody asks for, and its own. One server, runs that take turns."""
    repository = os.path.join(bench.scratch, "reloading")
    shutil.copytree(bench.random_model("wide", "--width=256", "--hidden=512"),
                    repository)
    os.makedirs(os.path.join(repository, "fashion-mnist/1"))
    shutil.copy(SHIPPED, os.path.join(repository, "fashion-mnist/1"))
    flags = ("--model_control_mode=poll", "--repository_poll_seconds=0.05")
    with bench.programs.server(*flags, repository=repository) as server:
        def p99(model=None):
            with replacing(repository, model):
                report = bench.load(server, "--method=stream", streams=STREAMS)
            return report["latency_ms"]["p99"]
        before = server.metric("mre_model_loads_total")
        quiet, other, own = bench.alternate(
            p99, lambda: p99("wide"), lambda: p99("fashion-mnist"))
        loads = server.metric("mre_model_loads_total") - before
    return [Line(f"p99 of {STREAMS} streams while {which} is replaced every "
                 f"{1000 * EVERY_S:.0f} ms", spread(figures, "{:.1f} ms"),
                 "none is: " + spread(quiet, "{:.1f} ms") +
                 f"; {loads:.0f} loads in all", ratios(figures, quiet))
            for which, figures in (("another model", other),
                                   ("their own model", own))]


@contextlib.contextmanager
def replacing(repository, model):
    """While it lasts the model's file is replaced by a copy of itself."""
    ended = threading.Event()

    def run():
        path = os.path.join(repository, model, "1/model.safetensors")
        while not ended.wait(EVERY_S):
            shutil.copy(path, path + ".new")
            os.replace(path + ".new", path)
    thread = threading.Thread(target=run)
    if model is not None:
        thread.start()
    yield
    ended.set()
    if model is not None:
        thread.join()
