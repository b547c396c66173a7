"""Two servers behind one client: gRPC's round_robin with health checking, and nginx.

Under load one server is killed and one drained. No unary call may fail: what a lost
server leaves unanswered is asked again, of the other. A server that is back gets work.
"""
import argparse
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading

import numpy as np

THREADS = 8


class Load:
    """Threads that ask until told to stop; each answer is checked."""

    def __init__(self, ask):
        self._ask = ask
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.answers = 0
        self.errors = []
        self._threads = [threading.Thread(target=self._run) for _ in range(THREADS)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self):
        while not self._stop.is_set():
            try:
                self._ask()
                error = None
            except Exception as raised:  # pylint: disable=broad-except
                error = raised
            with self._lock:
                self.answers += 1
                if error is not None:
                    self.errors.append(error)


def work(server):
    """Requests of predictions that this server has answered with OK."""
    return server.metric("mre_requests_total", 'code="OK"')


def await_work(server, more=20):
    """Waits until the server has answered so many more."""
    before = work(server)
    server.await_metric(lambda v: v >= before + more, "mre_requests_total",
                        'code="OK"')


def through_a_kill_and_a_drain(servers, client, image):
    """One server is killed and comes back, the other drained and comes back."""
    one, other = servers
    expected = client.predict(image, max_steps=8)

    def ask():
        assert client.predict(image, max_steps=8).top == expected.top

    with Load(ask) as load:
        for server in servers:
            await_work(server)
        one.kill()
        await_work(other)
        one.start()
        await_work(one)
        other.signal(signal.SIGTERM)
        assert other.process.wait(60) == 0
        await_work(one)
        other.start()
        await_work(other)
        await_work(one)
    assert not load.errors, load.errors[:3]
    return load.answers


def check_round_robin(mre_serving, servers, image):
    both = ",".join(server.target for server in servers)
    with mre_serving.Client(both) as client:
        answers = through_a_kill_and_a_drain(servers, client, image)
    print(f"round_robin: {answers} calls, none lost")


def check_health_is_heeded(mre_serving, servers, image):
    """A server that drains still accepts connections, and refuses: round_robin leaves
    it out because of its health. Nothing is retried here, so else every other call
    would fail."""
    one, other = servers
    both = ",".join(server.target for server in servers)
    with mre_serving.Client(both, retry=None) as client, \
            mre_serving.Client(one.target) as holder:
        for server in servers:
            while work(server) == 0:
                client.predict(image, model="fashion-mnist", max_steps=1)
        # Rows that wait for their reader hold the drain.
        session = holder.interactive()
        held = session.open(np.zeros((64, 28, 28, 1), np.uint8), model="slow",
                            probabilities=True, top_k=10)
        next(held)
        one.signal(signal.SIGTERM)
        calls, refused, in_a_row = 0, 0, 0
        while in_a_row < 100:  # the news takes a moment
            calls += 1
            assert calls < 5_000, f"{refused} of {calls} refused"
            try:
                client.predict(image, model="fashion-mnist", max_steps=1)
                drains = holder.health() is mre_serving.Health.NOT_SERVING
                in_a_row = in_a_row + 1 if drains else 0
            except mre_serving.Unavailable:
                refused, in_a_row = refused + 1, 0
        assert one.process.poll() is None, "the drain was over"
        one.kill()
    print(f"health: {refused} calls refused before the drain was known, then none")


def check_loadtest(server_binary, servers):
    """The load generator, and with it the C++ client, uses both."""
    before = [work(server) for server in servers]
    loadtest = pathlib.Path(server_binary).parent.parent / "client" / "loadtest"
    subprocess.check_call(
        [loadtest / "mre-loadtest", "--server=" + ",".join(s.target for s in servers),
         "--random_inputs", "--requests=200", "--warmup=0s"],
        stdout=subprocess.DEVNULL)
    found = [work(server) - b for server, b in zip(servers, before)]
    assert sum(found) >= 200 and min(found) > 0, found
    print(f"mre-loadtest: {found} calls")


class Nginx:
    """deploy/nginx.conf with the test's addresses."""

    def __init__(self, source, work, port, servers):
        config = (pathlib.Path(source) / "deploy" / "nginx.conf").read_text()
        for old, new in (("127.0.0.1:8080", f"127.0.0.1:{port}"),
                         ("127.0.0.1:8001", servers[0].target),
                         ("127.0.0.1:8011", servers[1].target)):
            assert old in config, old
            config = config.replace(old, new)
        path = pathlib.Path(work) / "nginx.conf"
        path.write_text(config)
        os.chmod(work, 0o755)  # its workers are another user if this one is root
        # What it says of the servers that are killed is not of interest.
        self._log = open(pathlib.Path(work) / "log", "w+")
        self._process = subprocess.Popen(["nginx", "-c", path, "-p", work],
                                         stderr=self._log)
        self.target = f"127.0.0.1:{port}"

    def stop(self):
        self._process.terminate()
        code = self._process.wait(60)
        self._log.seek(0)
        assert code == 0, self._log.read()
        self._log.close()


def check_nginx(mre_serving, source, servers, image, port):
    with tempfile.TemporaryDirectory() as work_dir:
        nginx = Nginx(source, work_dir, port, servers)
        try:
            with mre_serving.Client(nginx.target) as client:
                check_calls_pass(client, image)
                answers = through_a_kill_and_a_drain(servers, client, image)
        finally:
            nginx.stop()
    print(f"nginx: {answers} calls, none lost")


def check_calls_pass(client, image):
    """Every kind of call works through the proxy as without."""
    steps = [p.step for p in client.stream(image, max_steps=8)]
    assert steps == list(range(9)), steps
    with client.interactive() as session:
        # The second is opened after an answer of the first: both ways at once.
        first = session.open(image, max_steps=8)
        next(first)
        second = session.open(image, max_steps=4)
        assert second.result().step == 4
        assert first.result().step == 8
    batch = np.stack([image] * 256)
    assert len(client.predict(batch.astype(np.float32), max_steps=1)) == 256


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    parser.add_argument("--source", required=True)
    args = parser.parse_args()
    if shutil.which("nginx") is None:
        print("skipped: needs Debian's nginx")
        sys.exit(77)
    python = pathlib.Path(args.source) / "client" / "python"
    os.environ["MRE_SERVER"] = args.server
    sys.path[:0] = [str(python), str(python / "tests")]
    import make_proto
    make_proto.make()
    import mre_serving
    import servers as start
    from server_process import free_port

    image = np.random.default_rng(1).integers(0, 256, (28, 28, 1), np.uint8)
    with tempfile.TemporaryDirectory() as single, \
            tempfile.TemporaryDirectory() as pair:
        start.copy_model(single, "fashion-mnist")
        start.copy_model(pair, "fashion-mnist")
        start.write_slow_model(pair)
        both = [start.Server(single), start.Server(single)]
        try:
            check_round_robin(mre_serving, both, image)
            check_loadtest(args.server, both)
            check_nginx(mre_serving, args.source, both, image, free_port())
        finally:
            codes = [server.stop() for server in both]
        assert codes == [0, 0], codes
        both = [start.Server(pair), start.Server(pair)]
        try:
            check_health_is_heeded(mre_serving, both, image)
        finally:
            both[0].kill()
            code = both[1].stop()
        assert code == 0, code
    print("4 passed, 0 failed")


if __name__ == "__main__":
    main()
