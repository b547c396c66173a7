"""The door over the wire: TLS, client certificates, tokens.

Each case starts the real server, and knocks as people should and should not.
"""
import json
import os
import re
import subprocess
import time

from certificates import read, replace
from door_server import (ADMIN, GET, HEALTH, INFER, LATER, LIST, OK,
                         PERMISSION_DENIED, REFLECTION, RESOURCE_EXHAUSTED,
                         SECRETS, SLOW, STREAM, UNAUTHENTICATED, UNAVAILABLE,
                         Server, entry, eventually, grpc, run)


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


def methods_of(context):
    """Of both services, from their protos: path -> the client streams."""
    methods = {}
    for name in ("mre/v1/anytime", "inference/grpc_service"):
        with open(f"{context.source}/proto/{name}.proto",
                  encoding="utf-8") as file:
            text = file.read()
        package = re.search(r"^package ([\w.]+);", text, re.M)[1]
        service = re.search(r"^service (\w+) ", text, re.M)[1]
        for rpc, streams in re.findall(r"^  rpc (\w+)\((stream )?", text, re.M):
            methods[f"/{package}.{service}/{rpc}"] = bool(streams)
    return methods


def begin(server, method, streams, token=None):
    """The code of a call that says nothing: no message, or an empty one."""
    headers = () if token is None else (("authorization", f"Bearer {token}"),)
    with server.channel() as channel:
        call = channel.stream_stream(method)(
            iter([] if streams else [b""]), timeout=20, metadata=headers)
        try:
            for _ in call:
                pass
        except grpc.RpcError:
            pass
        return call.code()


def every_method(context):
    """Who needs which token for what: whatever is not listed needs infer."""
    service = "/inference.GRPCInferenceService/"
    health = {service + "ServerLive", service + "ServerReady"}
    control = {service + "RepositoryModelLoad",
               service + "RepositoryModelUnload"}
    methods = methods_of(context)
    assert len(methods) >= 25 and health | control < set(methods), methods
    assert sum(methods.values()) == 2, methods
    path = context.tokens("methods.json", [entry("phone", INFER, "infer"),
                                           entry("boss", ADMIN, "admin")])
    denied = (UNAUTHENTICATED, PERMISSION_DENIED)
    with Server(context, f"--token_file={path}") as server:
        for method, streams in methods.items():
            code = begin(server, method, streams)
            if method in health:
                assert code == OK, (method, code)
                continue
            assert code == UNAUTHENTICATED, (method, code)
            right, wrong = INFER, ADMIN
            if method in control:
                right, wrong = wrong, right
            code = begin(server, method, streams, wrong)
            assert code == PERMISSION_DENIED, (method, code)
            code = begin(server, method, streams, right)
            assert code not in denied, (method, code)


def secrets(context):
    """No token, good or not, is told by the log of all calls, or a metric."""
    path = context.tokens("secrets.json", [
        entry("phone", INFER, "infer"), entry("boss", ADMIN, "admin"),
        entry("slow", SLOW, "infer", requests_per_second=0.01)])
    wrong = "wrong-0123456789abcdef"
    with Server(context, f"--token_file={path}", "--log_requests=all",
                "--log_format=json") as server:
        assert server.code(token=INFER) == OK
        assert server.code(token=ADMIN) == PERMISSION_DENIED
        assert [server.code(token=SLOW) for _ in range(2)] == [
            OK, RESOURCE_EXHAUSTED]
        for header in (f"Bearer {wrong}", INFER, f"Basic {INFER}"):
            headers = (("authorization", header),)
            assert server.code(headers=headers) == UNAUTHENTICATED
        assert server.code(token=INFER,
                           headers=(("authorization", wrong),)) != OK
        log, page = server.log(), server.page()
        lines = [json.loads(line) for line in log.splitlines()]
        asked = [line for line in lines if line.get("method") == "ListModels"]
        assert len(asked) == 8, log
        assert [line.get("client") for line in asked[:3]] == [
            "phone", None, "slow"], log
        assert 'code="PERMISSION_DENIED"' in page
        for secret in (INFER, ADMIN, SLOW, wrong):
            assert secret not in log and secret not in page, secret


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


if __name__ == "__main__":
    run([tls, client_certificates, files_that_cannot_be_served,
         token_files_that_cannot_be_used, certificate_replaced, tokens,
         every_method, secrets, clients_with_a_token, exposure])
