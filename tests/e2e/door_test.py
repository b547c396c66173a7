"""The door over the wire: TLS, client certificates, tokens, limits.

Each case starts the real server, and knocks as people should and should not.
"""
import argparse
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

from certificates import Authority, read, replace
from server_process import start_server

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
        self.repository = f"{args.source}/model/zoo"
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


# ---- The cases.


def tls(context):
    foreign = grpc.ssl_channel_credentials(read(context.stranger.cert))
    with Server(context, *context.tls_flags()) as server:
        assert server.code(context.trust()) == OK
        assert server.code(context.trust(), method=HEALTH) == OK
        # Plaintext to a TLS port, and a client that trusts somebody else.
        assert server.code() == UNAVAILABLE
        assert server.code(foreign) == UNAVAILABLE
        # Nothing older than TLS 1.2.
        for version, accepted in (("-tls1_1", False), ("-tls1_2", True)):
            run = subprocess.run(
                ["openssl", "s_client", "-connect", server.target, version,
                 "-cipher", "DEFAULT@SECLEVEL=0", "-alpn", "h2"],
                stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
            assert (run.returncode == 0) == accepted, (version, run.stderr)
        assert "CN=localhost" in server.log()
        expires = server.value("mre_tls_certificate_expiry_seconds")
        assert abs(expires - time.time() - 10 * 86400) < 3600
    with Server(context) as server:
        assert server.code() == OK
        assert server.code(context.trust()) == UNAVAILABLE


def client_certificates(context):
    good = context.authority.issue("client", "a client")
    expired = context.authority.issue("late", "late", expired=True)
    foreign = context.stranger.issue("foreign", "a stranger")
    with Server(context, *context.tls_flags(),
                f"--tls_client_ca_file={context.authority.cert}") as server:
        assert server.code(context.trust(good)) == OK
        for pair in ((None, None), expired, foreign):
            assert server.code(context.trust(pair)) == UNAVAILABLE, pair
        # The programs of this tree.
        ca = f"--ca_cert={context.authority.cert}"
        code, text = context.mre(server, ca, f"--client_cert={good[0]}",
                                 f"--client_key={good[1]}")
        assert code == 0 and "fashion-mnist" in text, text
        code, text = context.mre(server, ca)
        assert code == 1 and "UNAVAILABLE" in text and "with TLS" in text, text
        code, text = context.mre(server)
        assert code == 1 and "without TLS" in text, text
        code, text = context.mre(server, ca, f"--client_cert={good[0]}")
        assert code == 2 and "key" in text, text


def files_that_cannot_be_served(context):
    other = context.authority.issue("other")
    late = context.authority.issue("late_server", expired=True)
    encrypted = os.path.join(context.folder, "encrypted.key")
    subprocess.run(["openssl", "pkey", "-in", context.key, "-aes256",
                    "-passout", "pass:secret", "-out", encrypted], check=True)
    empty = os.path.join(context.folder, "empty")
    open(empty, "w", encoding="utf-8").close()
    for flags, words in (
            (context.tls_flags(cert="/no/such"), ("--tls_cert_file", "/no/such")),
            (context.tls_flags(key="/no/such"), ("--tls_key_file", "/no/such")),
            (context.tls_flags(cert=empty), ("--tls_cert_file", "PEM")),
            (context.tls_flags(key=context.cert), ("--tls_key_file", "PEM")),
            (context.tls_flags(key=other[1]), ("--tls_key_file", "not that of")),
            (context.tls_flags(*late), ("--tls_cert_file", "expired at 2020")),
            (context.tls_flags(key=encrypted), ("--tls_key_file", "passphrase")),
            (context.tls_flags() + (f"--tls_client_ca_file={empty}",),
             ("--tls_client_ca_file", "empty"))):
        text = context.refused_start(*flags)
        assert all(word in text for word in words), (words, text)


def token_files_that_cannot_be_used(context):
    bad = os.path.join(context.folder, "bad.json")
    for entries, words in (
            ([], "1 to 1000 entries"),
            ([entry("short", INFER[:15], "infer")], '"short"'),
            ([entry("a", INFER, "infer"), entry("b", INFER, "admin")], '"b"'),
            ([entry("a", INFER, "infer", **{LATER: 1})], "is not known"),
            ([entry("a", INFER, ADMIN)], '"scopes"')):
        path = context.tokens("bad.json", entries)
        text = context.refused_start(f"--token_file={path}")
        assert "--token_file" in text and words in text, (words, text)
        assert not any(secret[:15] in text for secret in SECRETS), text
    os.unlink(bad)
    text = context.refused_start(f"--token_file={bad}")
    assert "--token_file" in text and "No such file" in text, text


def certificate_replaced(context):
    cert = os.path.join(context.folder, "live.pem")
    key = os.path.join(context.folder, "live.key")
    first = context.authority.issue("first", "first")
    second = context.authority.issue("second", "second")
    replace(cert, first[0])
    replace(key, first[1])

    def shown(server):
        run = subprocess.run(
            ["openssl", "s_client", "-connect", server.target, "-alpn", "h2"],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
        return run.stdout.decode(errors="replace").split("subject=")[1].split(
            "\n")[0]

    with Server(context, *context.tls_flags(cert, key)) as server:
        assert "first" in shown(server)
        with server.channel(context.trust()) as held:
            ask = held.unary_unary(LIST)
            ask(b"", timeout=20)
            # Half of a new pair: the old one goes on, for new connections too.
            replace(cert, second[0])
            eventually(lambda: "is not that of the certificate" in server.log(),
                       "a warning about half a pair")
            assert "first" in shown(server)
            assert server.code(context.trust()) == OK
            replace(key, second[1])
            eventually(lambda: "second" in shown(server), "the new certificate")
            assert server.code(context.trust()) == OK
            # What was connected before stays so.
            ask(b"", timeout=20)
        with open(cert, "w", encoding="utf-8") as file:
            file.write("-----BEGIN CERTIFICATE-----\nnonsense\n")
        eventually(lambda: "does not parse" in server.log(), "a warning")
        assert "second" in shown(server)
        assert server.code(context.trust()) == OK


def tokens(context):
    entries = [entry("phone", INFER, "infer"), entry("boss", ADMIN, "admin"),
               entry("slow", SLOW, "infer", requests_per_second=0.01, burst=2),
               entry("stream", STREAM, "infer", requests_per_second=0.01)]
    path = context.tokens("tokens.json", entries)
    with Server(context, f"--token_file={path}") as server:
        assert server.code(token=INFER) == OK
        assert server.code(token=INFER, method=GET) != UNAUTHENTICATED
        # Neither health nor reflection can bring one.
        assert server.code(method=HEALTH) == OK
        with server.channel() as channel:
            call = channel.stream_stream(REFLECTION)
            assert b"mre.v1" in next(iter(call(iter([b"\x3a\x00"]))))
        for method in ("ListModels", "GetModel", "Predict"):
            method = f"/mre.v1.AnytimeInference/{method}"
            assert server.code(method=method) == UNAUTHENTICATED, method
        for token in ("wrong-0123456789abcdef", INFER[:-1], INFER + "x", ""):
            assert server.code(token=token) == UNAUTHENTICATED, token
        for header in (f"Basic {INFER}", INFER, "Bearer"):
            headers = (("authorization", header),)
            assert server.code(headers=headers) == UNAUTHENTICATED, header
        twice = (("authorization", f"Bearer {ADMIN}"),)
        assert server.code(token=INFER, headers=twice) == UNAUTHENTICATED
        code, text, _ = server.ask(token=ADMIN)
        assert code == PERMISSION_DENIED and "infer" in text, (code, text)
        # Streams, at their start.
        with server.channel() as channel:
            for call in (channel.unary_stream(
                    "/mre.v1.AnytimeInference/PredictStream")(b"", timeout=20),
                         channel.stream_stream(
                    "/mre.v1.AnytimeInference/PredictInteractive")(
                        iter([]), timeout=20)):
                try:
                    next(call)
                    raise AssertionError("a stream without a token")
                except grpc.RpcError as error:
                    assert error.code() == UNAUTHENTICATED, error
        # Too many: two at once, then one in 100 s.
        assert [server.code(token=SLOW) for _ in range(2)] == [OK, OK]
        code, text, trailing = server.ask(token=SLOW)
        assert code == RESOURCE_EXHAUSTED and "slow" in text, (code, text)
        assert 90_000 < int(trailing["grpc-retry-pushback-ms"]) <= 100_000
        assert server.code(token=INFER) == OK

        # Each request of a stream counts, and the stream goes on.
        opens = [b"\x0a\x01" + name + b"\x12\x00" for name in (b"a", b"b", b"c")]
        with server.channel() as channel:
            call = channel.stream_stream(
                "/mre.v1.AnytimeInference/PredictInteractive")
            updates = list(call(iter(opens), timeout=20, metadata=(
                ("authorization", f"Bearer {STREAM}"),)))
            beyond = [b"requests a second" in update for update in updates]
            assert beyond == [False, True, True], updates

        # Replaced by one that is broken, then by a good one.
        with open(path, "w", encoding="utf-8") as file:
            file.write('{"tokens": [{"' + LATER + '": 1}]}')
        eventually(lambda: "the old tokens stay" in server.log(), "a warning")
        assert server.code(token=INFER) == OK
        context.tokens("tokens.json", [entry("new", LATER, "infer")])
        eventually(lambda: server.code(token=LATER) == OK, "the new token")
        assert server.code(token=INFER) == UNAUTHENTICATED
        os.chmod(path, 0o644)
        eventually(lambda: "other users can read" in server.log(), "a warning")

        told = server.log() + server.page()
        assert 'code="UNAUTHENTICATED"' in told
        for secret in SECRETS:
            assert secret not in told, secret


def clients_with_a_token(context):
    path = context.tokens("cli.json", [entry("cli", INFER, "infer")])
    secret = os.path.join(context.folder, "secret")
    with open(secret, "w", encoding="utf-8") as file:
        file.write(INFER + "\n")
    with Server(context, f"--token_file={path}") as server:
        code, text = context.mre(server, f"--token_file={secret}")
        assert code == 0 and "fashion-mnist" in text, text
        code, text = context.mre(server, env={"MRE_TOKEN": INFER})
        assert code == 0, text
        code, text = context.mre(server)
        assert code == 1 and "UNAUTHENTICATED" in text, text
        # Every kind of call brings it.
        for method in ("predict", "stream", "interactive"):
            run = subprocess.run(
                [context.loadtest, f"--server={server.target}",
                 f"--method={method}", "--model=fashion-mnist", "--quiet",
                 "--random_inputs", "--requests=20", "--warmup=0s",
                 "--max_steps=1", "--json", f"--token_file={secret}"],
                capture_output=True, text=True, timeout=60)
            assert run.returncode == 0, run.stderr
            assert json.loads(run.stdout)["all"]["ok"] == 20, run.stdout
    # Never in the clear to somewhere else; nobody is even asked.
    run = subprocess.run(
        [context.client, "models", "--server=192.0.2.1:1",
         f"--token_file={secret}"], capture_output=True, text=True, timeout=60)
    assert run.returncode == 2 and "in the clear" in run.stderr, run.stderr
    assert INFER not in run.stderr


def exposure(context):
    path = context.tokens("exposed.json", [entry("phone", INFER, "infer")])
    with Server(context, "--host=0.0.0.0") as server:
        assert "NOT ENCRYPTED" in server.log()
        assert "OPEN TO ANYBODY" in server.log()
    with Server(context) as server:
        assert "NOT ENCRYPTED" not in server.log()
    text = context.refused_start("--host=0.0.0.0", f"--token_file={path}")
    assert "--allow_plaintext_tokens" in text and "--token_file" in text, text
    with Server(context, "--host=0.0.0.0", f"--token_file={path}",
                "--allow_plaintext_tokens") as server:
        assert "NOT ENCRYPTED" in server.log()
    with Server(context, "--host=0.0.0.0", "--metrics_host=127.0.0.1",
                f"--token_file={path}", *context.tls_flags()) as server:
        assert "NOT ENCRYPTED" not in server.log()
        assert server.metrics.startswith("127.0.0.1:")


def connect(server):
    host, port = server.target.rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=20)


def closed(connection):
    """Whether the server hangs up (within the socket's timeout)."""
    try:
        while connection.recv(4096):
            pass
        return True
    except ConnectionError:
        return True
    except socket.timeout:
        return False


def refused(server):
    try:
        return closed(connect(server))
    except ConnectionError:
        return True


def connection_limit(context):
    with Server(context, "--max_connections=5") as server:
        held = [connect(server) for _ in range(5)]
        eventually(lambda: server.value("mre_connections") == 5, "5 open")
        for _ in range(3):
            assert refused(server)
        assert server.value("mre_connections_refused_total") == 3
        assert "refused" in server.log()
        held.pop().close()
        eventually(lambda: server.code(method=HEALTH) == OK, "a place free")


def limits_of_a_connection(context):
    with Server(context, "--max_streams_per_connection=1",
                "--max_message_bytes=1000",
                "--max_connection_idle_seconds=1") as server:
        big = b"\x1a\xd0\x0f" + bytes(2000)
        with server.channel() as channel:
            try:
                channel.unary_unary("/mre.v1.AnytimeInference/Predict")(
                    big, timeout=20)
                raise AssertionError("a request that is too large")
            except grpc.RpcError as error:
                assert error.code() == RESOURCE_EXHAUSTED, error
                assert "1000" in error.details(), error
        with server.channel() as channel:
            held = channel.unary_stream("/grpc.health.v1.Health/Watch")(b"")
            assert next(held) == SERVING
            try:
                # It waits here, in the client, for the stream to end.
                channel.unary_unary(HEALTH)(b"", timeout=2)
                raise AssertionError("a second stream")
            except grpc.RpcError as error:
                assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED, error
            assert server.code(method=HEALTH) == OK
            held.cancel()
            assert channel.unary_unary(HEALTH)(b"", timeout=20) == SERVING
            # Nobody asks any more.
            eventually(lambda: server.value("mre_connections") == 0,
                       "the idle connection closed")
            # The client connects anew by itself.
            assert channel.unary_unary(HEALTH)(b"", timeout=20) == SERVING


def out_of_file_descriptors(context):
    """With none left the server refuses, and serves again when there are."""
    with Server(context) as server:
        open_now = int(server.value("process_open_fds"))
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE,
                         (open_now + 20, open_now + 20))
        held = []
        for _ in range(60):
            try:
                held.append(connect(server))
            except ConnectionError:
                pass
        eventually(lambda: "no more file descriptors" in server.log(),
                   "a refusal")
        for connection in held:
            connection.close()
        eventually(lambda: server.code(method=HEALTH) == OK, "served again")


def slow_clients(context):
    """Thousands who say nothing, or little by little, do not stop others."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = 5000
    if hard < count + 500:
        count = max(hard - 500, 50)
        print(f"slow_clients: {count} connections only, for this process may "
              f"open {hard} files")
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    hello = bytes.fromhex("1603010200010001fc0303")  # a ClientHello's beginning
    for flags, beginning, trust in (((), preface, None),
                                    (context.tls_flags(), hello,
                                     context.trust())):
        with Server(context, *flags, "--handshake_seconds=10",
                    f"--max_connections={count + 100}") as server:
            idle = [connect(server) for _ in range(count)]
            loris = [connect(server) for _ in range(20)]
            for i, byte in enumerate(beginning):
                for connection in loris:
                    try:
                        connection.send(bytes([byte]))
                    except ConnectionError:
                        pass  # it took too long already
                if i % 4 == 0:
                    assert server.code(trust) == OK, i
            # All are gone in time, the ones that had begun too.
            assert all(closed(connection) for connection in idle[:50] + loris)
            eventually(lambda: server.value("mre_connections") < 5,
                       "their places free", 60)
            assert server.code(trust) == OK
            for connection in idle + loris:
                connection.close()


def main():
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
    cases = [tls, client_certificates, files_that_cannot_be_served,
             token_files_that_cannot_be_used, certificate_replaced, tokens,
             clients_with_a_token, exposure, connection_limit,
             limits_of_a_connection, out_of_file_descriptors, slow_clients]
    passed = 0
    with tempfile.TemporaryDirectory() as folder:
        context = Context(args, folder)
        for case in cases:
            if args.only and case.__name__ not in args.only.split(","):
                continue
            if args.sanitized and case is out_of_file_descriptors:
                print(f"{case.__name__}: left out, the sanitizer needs some")
                continue
            start = time.monotonic()
            case(context)
            passed += 1
            print(f"{case.__name__}: ok ({time.monotonic() - start:.1f} s)",
                  flush=True)
    print(f"{passed} passed, 0 failed")


if __name__ == "__main__":
    main()
