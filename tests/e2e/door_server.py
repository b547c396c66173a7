"""What the tests of the server's door share: a server, its files, a main."""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request

from certificates import Authority, read
from server_process import small_repository, start_server

try:
    import grpc
except ImportError:
    print("skipped: needs python3-grpcio")
    sys.exit(77)

LIST = "/mre.v1.AnytimeInference/ListModels"
GET = "/mre.v1.AnytimeInference/GetModel"
HEALTH = "/grpc.health.v1.Health/Check"
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
SERVING = b"\x08\x01"
OK = grpc.StatusCode.OK
UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
PERMISSION_DENIED = grpc.StatusCode.PERMISSION_DENIED
RESOURCE_EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE

INFER = "infer-0123456789abcdef"
ADMIN = "admin-0123456789abcdef"
SLOW = "slow-0123456789abcdef"
STREAM = "stream-0123456789abcdef"
LATER = "later-0123456789abcdef"
SECRETS = (INFER, ADMIN, SLOW, STREAM, LATER)


class Server:
    """A running server; `log()` is what it has written to stderr."""

    def __init__(self, context, *flags):
        self.context = context
        self.errors = tempfile.TemporaryFile(dir=context.folder)
        self.process, self.target, self.metrics = start_server(
            context.binary, context.repository, flags, stderr=self.errors)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.process.terminate()
        code = self.process.wait(60)
        if kind is not None:
            print(self.log(), file=sys.stderr)
        else:
            assert code == 0, code

    def log(self):
        self.errors.seek(0)
        return self.errors.read().decode()

    def page(self):
        url = f"http://{self.metrics}/metrics"
        return urllib.request.urlopen(url, timeout=10).read().decode()

    def value(self, series):
        for line in self.page().splitlines():
            if line.startswith(series + " "):
                return float(line.split()[-1])
        raise AssertionError(f"no {series}")

    def channel(self, credentials=None):
        options = [("grpc.use_local_subchannel_pool", 1)]
        if credentials is None:
            return grpc.insecure_channel(self.target, options)
        return grpc.secure_channel(self.target, credentials, options)

    def ask(self, credentials=None, token=None, method=LIST, headers=()):
        """The code, the text and the trailing metadata of one call."""
        if token is not None:
            headers = (("authorization", f"Bearer {token}"), *headers)
        with self.channel(credentials) as channel:
            try:
                channel.unary_unary(method)(b"", timeout=20, metadata=headers)
                return OK, "", {}
            except grpc.RpcError as error:
                return (error.code(), error.details(),
                        dict(error.trailing_metadata() or ()))

    def code(self, *args, **kwargs):
        return self.ask(*args, **kwargs)[0]


class Context:
    def __init__(self, args, folder):
        self.binary = args.server
        self.client = args.client
        self.loadtest = args.loadtest
        self.source = args.source
        self.repository = small_repository(args.source, folder)
        self.folder = folder
        self.authority = Authority(folder, "authority")
        self.stranger = Authority(folder, "stranger")
        self.cert, self.key = self.authority.issue("server")

    def tls_flags(self, cert=None, key=None):
        return (f"--tls_cert_file={cert or self.cert}",
                f"--tls_key_file={key or self.key}")

    def trust(self, pair=(None, None)):
        cert, key = pair
        return grpc.ssl_channel_credentials(
            read(self.authority.cert), key and read(key), cert and read(cert))

    def tokens(self, name, entries):
        path = os.path.join(self.folder, name)
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump({"tokens": entries}, file)
        os.chmod(path + ".new", 0o600)
        os.rename(path + ".new", path)
        return path

    def refused_start(self, *flags):
        """What a server that must not start says."""
        run = subprocess.run(
            [self.binary, f"--model_repository={self.repository}",
             "--grpc_port=0", "--metrics_port=0", *flags],
            capture_output=True, text=True, timeout=60)
        assert run.returncode == 1, (run.returncode, run.stderr)
        assert "ready" not in run.stdout
        return run.stderr

    def mre(self, server, *flags, env=None):
        run = subprocess.run(
            [self.client, "models", f"--server={server.target}",
             "--connect_timeout=3s", *flags], capture_output=True, text=True,
            timeout=60, env={**os.environ, **(env or {})})
        return run.returncode, run.stdout + run.stderr


def eventually(holds, what, seconds=30):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.2)


def entry(name, token, *scopes, **more):
    return {"name": name, "token": token, "scopes": list(scopes), **more}


def run(cases):
    """A test's main."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    parser.add_argument("--client", required=True)
    parser.add_argument("--loadtest", required=True)
    parser.add_argument("--source", required=True)
    parser.add_argument("--only", default="", help="the cases, by name")
    parser.add_argument("--sanitized", action="store_true",
                        help="the server checks itself for undefined "
                        "behaviour, for which it needs file descriptors")
    args = parser.parse_args()
    passed = 0
    with tempfile.TemporaryDirectory() as folder:
        context = Context(args, folder)
        for case in cases:
            if args.only and case.__name__ not in args.only.split(","):
                continue
            if args.sanitized and case.__name__ == "out_of_file_descriptors":
                print(f"{case.__name__}: left out, the sanitizer needs some")
                continue
            start = time.monotonic()
            case(context)
            passed += 1
            print(f"{case.__name__}: ok ({time.monotonic() - start:.1f} s)",
                  flush=True)
    print(f"{passed} passed, 0 failed")
