"""The real mre-server in a process of its own, and models to serve."""
import json
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import sys
import time
import urllib.request

import numpy as np

SOURCE = pathlib.Path(__file__).resolve().parents[3]
ZOO = SOURCE / "model" / "zoo"
BINARY = pathlib.Path(os.environ.get(
    "MRE_SERVER", SOURCE / "build" / "release" / "server" / "mre-server"))

sys.path.insert(0, str(SOURCE / "tests" / "e2e"))
from server_process import free_port, start_server  # noqa: E402

SLOW_STEPS = 1536


class Server:
    """Started when made; `start` starts it again on the same ports."""

    def __init__(self, repository, *flags, log=None):
        self._repository = repository
        self._flags = flags
        self._log = log or subprocess.DEVNULL
        self._port = free_port()
        self.start()

    def start(self):
        self.process, self.target, self.metrics_target = start_server(
            BINARY, self._repository, self._flags, self._port, stderr=self._log)

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.process.kill()
        self.process.wait(60)

    def stop(self):
        """SIGTERM; the exit code."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        return self.process.wait(60)

    def metric(self, name, *labels):
        """The sum of the series of this name that have all these labels."""
        url = f"http://{self.metrics_target}/metrics"
        with urllib.request.urlopen(url, timeout=10) as page:
            lines = page.read().decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines
                   if line.split("{")[0].split(" ")[0] == name
                   and all(label in line for label in labels))

    def await_metric(self, wanted, name, *labels):
        """Waits until `wanted` holds for the metric, and returns it."""
        for _ in range(600):
            value = self.metric(name, *labels)
            if wanted(value):
                return value
            time.sleep(0.05)
        raise AssertionError(f"{name} {labels} is {value}")

    def await_no_rows(self):
        self.await_metric(lambda v: v == 0, "mre_active_rows")
        self.await_metric(lambda v: v == 0, "mre_queued_rows")


def await_true(holds):
    """Waits until it holds."""
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, "it never holds"
        time.sleep(0.02)


def copy_model(repository, name, version=1, source=None):
    """A model of the zoo as the only file of its version; `source`: its name there.
    """
    folder = pathlib.Path(repository) / name / str(version)
    folder.mkdir(parents=True)
    shutil.copy(ZOO / (source or name) / "1" / "model.safetensors", folder)


def write_slow_model(repository):
    """"slow": random weights and 1,536 experts, so that a row can be interrupted."""
    layers, experts, width, hidden, context = 48, 32, 64, 16, 8
    random = np.random.default_rng(1)
    tensors = {}

    def add(name, *shape, scale=0.05):
        tensors[name] = (random.standard_normal(shape) * scale).astype("<f4")

    add("stem.weight", width, 784)
    add("stem.bias", width)
    add("router.context.weight", context, width)
    add("router.context.bias", context)
    for layer in range(layers):
        add(f"router.{layer}.gate.weight", experts, context, scale=0.3)
        add(f"router.{layer}.gate.bias", experts)
        if layer > 0:
            add(f"router.{layer}.transition", experts, experts, scale=0.5)
        add(f"layers.{layer}.norm.weight", width)
        add(f"layers.{layer}.norm.bias", width)
        for expert in range(experts):
            at = f"layers.{layer}.experts.{expert}"
            add(f"{at}.up.weight", hidden, width)
            add(f"{at}.up.bias", hidden)
            add(f"{at}.down.weight", width, hidden)
            add(f"{at}.down.bias", width)
    add("head.norm.weight", width)
    add("head.norm.bias", width)
    add("head.weight", 10, width)
    add("head.bias", 10)
    config = {
        "format": 1, "kind": "mre",
        "input": {"shape": [28, 28, 1], "scale": 1 / 255, "mean": [0.29],
                  "std": [0.35]},
        "stem": {"kind": "linear", "activation": "none"}, "width": width,
        "layers": layers, "experts": experts,
        "expert": {"kind": "mlp", "hidden": hidden},
        "router": {"context": context, "sharing": 1},
        "classes": [f"class {i}" for i in range(10)]}
    header = {"__metadata__": {"mre.config": json.dumps(config)}}
    offset = 0
    for name, tensor in sorted(tensors.items()):
        header[name] = {"dtype": "F32", "shape": list(tensor.shape),
                        "data_offsets": [offset, offset + tensor.nbytes]}
        offset += tensor.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    version = pathlib.Path(repository) / "slow" / "1"
    version.mkdir(parents=True)
    with open(version / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, tensor in sorted(tensors.items()):
            file.write(tensor.tobytes())
