"""The programs that serve_bench.py starts, and what it asks of them."""

import json
import os
import subprocess
import sys
import urllib.request

from report import HERE, ROOT

SHIPPED = os.path.join(ROOT, "model/zoo/fashion-mnist/1/model.safetensors")


class Program:
    """A program that prints one line when it is ready; ended with its block."""

    def __init__(self, *command):
        self.command = [str(word) for word in command]
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True)
        self.ready = self.process.stdout.readline().strip()
        if not self.ready:
            self.stop()
            raise RuntimeError("did not start: " + " ".join(self.command))
        fields = dict(word.split("=") for word in self.ready.split()
                      if "=" in word)
        self.address, self.metrics = fields.get("grpc"), fields.get("metrics")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.process.stdin.close()
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def memory(self, field="VmRSS"):
        """Resident bytes; with "VmHWM" the most there ever were."""
        with open(f"/proc/{self.process.pid}/status") as file:
            for line in file:
                if line.startswith(field + ":"):
                    return int(line.split()[1]) * 1024
        raise RuntimeError(f"no {field} of " + " ".join(self.command))

    def metric(self, name):
        """The sum of an mre-server's series of that name."""
        with urllib.request.urlopen(f"http://{self.metrics}/metrics") as page:
            lines = page.read().decode().splitlines()
        return sum(float(line.split()[-1]) for line in lines
                   if line.startswith((name + " ", name + "{")))


class Programs:
    """Those of one build directory."""

    def __init__(self, build):
        self.build = build

    def path(self, name):
        return os.path.join(self.build, name)

    def missing(self):
        names = ["server/mre-server", "client/loadtest/mre-loadtest",
                 "model/cli/mre-train", "tests/bench/stream_bench",
                 "tests/bench/echo_server", "tests/bench/hold_streams"]
        return [name for name in names if not os.path.exists(self.path(name))]

    def server(self, *flags, repository=os.path.join(ROOT, "model/zoo")):
        return Program(self.path("server/mre-server"), "--grpc_port=0",
                       "--metrics_port=0", "--drain_seconds=0",
                       f"--model_repository={repository}", *flags)

    def torch(self, *flags):
        return Program(sys.executable, os.path.join(HERE, "torch_server.py"),
                       SHIPPED, *flags)

    def echo(self, server, *max_macs):
        return Program(self.path("tests/bench/echo_server"), server.address,
                       "fashion-mnist", *max_macs)

    def hold(self, server, model, streams, connections, mode):
        return Program(self.path("tests/bench/hold_streams"), server.address,
                       model, streams, connections, mode)

    def load(self, server, *flags, model="fashion-mnist", streams=64,
             rate=None, seconds=None):
        """What mre-loadtest reports of all requests of a closed loop of
        `streams`, in which none may fail; with `rate` of an open loop, which may
        ask too much. Without `seconds`, flags say how long."""
        if seconds is not None:
            flags += (f"--duration={seconds}s", "--warmup=500ms")
        loop = f"--concurrency={streams}" if rate is None else f"--rate={rate}"
        output = subprocess.run(
            [self.path("client/loadtest/mre-loadtest"), "--json", "--quiet",
             f"--server={server.address}", f"--model={model}", loop, *flags],
            stdout=subprocess.PIPE, check=True).stdout
        report = json.loads(output)
        if rate is None and report["all"]["failed"] > 0:
            raise RuntimeError(f"requests failed: {report['all']['failures']}")
        return report["all"]

    def train(self, *flags):
        """What mre-train prints."""
        return subprocess.run(
            [self.path("model/cli/mre-train"), *flags], check=True, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
