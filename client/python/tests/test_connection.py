"""Addresses, encryption, tokens, and the errors that come of them."""
import asyncio
import contextlib
import socket
import threading
import time

import grpc
import numpy as np
import pytest

import mre_serving
from fake_server import HELD, FakeServer
from mre_serving import _channel
from servers import await_true

SMALL = np.zeros((2, 2, 1), np.uint8)


def ask(client):
    return client.predict(SMALL, model="fake")


@pytest.mark.parametrize("target", [
    "localhost", ":8001", "localhost:", "localhost:0", "localhost:65536",
    "localhost:http", "::1:8001", "a:1,b", "", "localhost:1,"])
def test_an_address_needs_a_port(target):
    with pytest.raises(mre_serving.InvalidArgument, match="HOST:PORT"):
        mre_serving.Client(target)
    with pytest.raises(mre_serving.InvalidArgument, match="HOST:PORT"):
        mre_serving.AsyncClient(target)


@pytest.mark.parametrize("wrong, said", [
    ({"compression": "zip"}, "gzip"),
    ({"keepalive": 0}, "keepalive"),
    ({"tls": mre_serving.Tls(certificate="x")}, "together"),
    ({"target": "localhost:1,127.0.0.1:2", "tls": True}, "server_name"),
])
def test_a_wrong_option_is_named(wrong, said):
    with pytest.raises(mre_serving.InvalidArgument, match=said):
        mre_serving.Client(**{"target": "localhost:1", **wrong})


def test_several_addresses_are_used_in_turn():
    with FakeServer() as one, FakeServer() as other:
        both = f"{one.target}, localhost:{other.target.split(':')[1]}"
        with mre_serving.Client(both) as client:
            deadline = time.monotonic() + 30
            while not (one.calls and other.calls):
                assert time.monotonic() < deadline, "one is never asked"
                ask(client)


def test_a_token_goes_with_each_call():
    with FakeServer() as server:
        with mre_serving.Client(server.target, token="secret") as client:
            ask(client)
            list(client.stream(SMALL, model="fake"))
        tokens = iter(["first", "model", "second"])
        with mre_serving.Client(server.target, token=lambda: next(tokens)) as client:
            ask(client)
            ask(client)
        assert [call["authorization"] for call in server.calls] == [
            "Bearer secret", "Bearer secret", "Bearer model", "Bearer second"]
        with mre_serving.Client(server.target) as client:
            ask(client)
        assert "authorization" not in server.calls[-1]


def test_a_token_may_end_a_line_and_is_not_shown(capfd):
    with FakeServer() as server:
        with mre_serving.Client(server.target, token="secret\n") as client:
            ask(client)
        assert server.calls[-1]["authorization"] == "Bearer secret"
        for bad in ("two secrets", "secr\net", "s\u00e9cret", " "):
            with pytest.raises(mre_serving.InvalidArgument, match="token") as error:
                mre_serving.Client(server.target, token=bad)
            assert "cret" not in str(error.value)
            with mre_serving.Client(server.target, token=lambda: bad) as client:
                with pytest.raises(mre_serving.InvalidArgument):
                    ask(client)
    assert "cret" not in "".join(capfd.readouterr())


def test_metadata_and_ids_go_with_their_call():
    more = {"metadata": [("traceparent", "00-1")], "request_id": "mine"}
    with FakeServer() as server:
        with mre_serving.Client(server.target, token="secret") as client:
            client.predict(SMALL, model="fake", **more)
            list(client.stream(SMALL, model="fake", **more))
            ask(client)

        async def both():
            async with mre_serving.AsyncClient(server.target, token="t") as client:
                await client.predict(SMALL, model="fake", **more)
                async for p in client.stream(SMALL, model="fake", **more):
                    pass
        asyncio.run(both())
        assert [(c.get("traceparent"), c["authorization"], r.request_id)
                for c, r in zip(server.calls, server.requests)] == [
            ("00-1", "Bearer secret", "mine"), ("00-1", "Bearer secret", "mine"),
            (None, "Bearer secret", ""), ("00-1", "Bearer t", "mine"),
            ("00-1", "Bearer t", "mine")]
        # The first call of each client asks about the model before.
        assert [c.get("traceparent") for c in server.asked] == ["00-1", "00-1"]


@pytest.mark.parametrize("target, refused", [
    ("localhost:1", False), ("127.0.0.1:1", False), ("[::1]:1", False),
    ("127.0.0.1:1,localhost:2", False), ("unix:/x", False),
    ("192.0.2.1:1", True), ("127.0.0.1:1,192.0.2.1:2", True),
    ("dns:///localhost:1", True), ("localhost.example:1", True)])
def test_a_token_is_not_sent_in_the_clear_to_another_machine(target, refused):
    if refused:
        with pytest.raises(mre_serving.InvalidArgument, match="unencrypted"):
            mre_serving.Client(target, token="secret")
    else:
        mre_serving.Client(target, token="secret").close()
    mre_serving.Client(target, token="secret", insecure_token=True).close()
    mre_serving.Client(target, token="secret",
                       tls=mre_serving.Tls(server_name="x")).close()


def secure_server(pki, mutual=False):
    pair = ((pki / "server.key").read_bytes(), (pki / "server.pem").read_bytes())
    roots = (pki / "ca.pem").read_bytes() if mutual else None
    return FakeServer(credentials=grpc.ssl_server_credentials(
        [pair], root_certificates=roots, require_client_auth=mutual))


def test_tls(pki):
    good = mre_serving.Tls(ca=pki / "ca.pem", server_name="mre.test")
    with secure_server(pki) as server:
        with mre_serving.Client(server.target, tls=good, token="secret") as client:
            assert ask(client).final
        assert server.calls[0]["authorization"] == "Bearer secret"
        for tls in (True, False, mre_serving.Tls(ca=pki / "ca.pem"),
                    mre_serving.Tls(ca=pki / "foreign.pem", server_name="mre.test")):
            with mre_serving.Client(server.target, tls=tls, retry=None) as client:
                with pytest.raises(mre_serving.Unavailable):
                    ask(client)


def test_mutual_tls(pki):
    def tls(**more):
        return mre_serving.Tls(ca=pki / "ca.pem", server_name="mre.test", **more)
    with secure_server(pki, mutual=True) as server:
        known = tls(certificate=pki / "client.pem", key=pki / "client.key")
        with mre_serving.Client(server.target, tls=known) as client:
            assert ask(client).final
        with mre_serving.Client(server.target, tls=tls(), retry=None) as client:
            with pytest.raises(mre_serving.Unavailable):
                ask(client)


@pytest.mark.parametrize("code, error", [
    ("INVALID_ARGUMENT", mre_serving.InvalidArgument),
    ("NOT_FOUND", mre_serving.NotFound),
    ("RESOURCE_EXHAUSTED", mre_serving.ResourceExhausted),
    ("UNAVAILABLE", mre_serving.Unavailable),
    ("DEADLINE_EXCEEDED", mre_serving.DeadlineExceeded),
    ("CANCELLED", mre_serving.Cancelled),
    ("UNAUTHENTICATED", mre_serving.Unauthenticated),
    ("PERMISSION_DENIED", mre_serving.PermissionDenied),
    ("FAILED_PRECONDITION", mre_serving.MreError),
])
def test_each_status_is_an_exception(code, error):
    with FakeServer([(0, grpc.StatusCode[code], ())]) as server:
        with mre_serving.Client(server.target, retry=None) as client:
            with pytest.raises(mre_serving.MreError) as caught:
                ask(client)
    assert type(caught.value) is error
    assert caught.value.code == code
    assert caught.value.message == f"scripted {code}"
    assert caught.value.retry_after is None


def test_a_compressed_request_is_understood(server, images):
    with mre_serving.Client(server.target) as client:
        expected = client.predict(images[50])
    for compression in ("gzip", "deflate"):
        with mre_serving.Client(server.target, compression=compression) as client:
            assert client.predict(images[50]).top == expected.top


def test_the_arguments_of_a_channel():
    def arguments(target, **more):
        options = dict(target=target, tls=False, token=None, insecure_token=False,
                       keepalive=None, compression=None, max_message_bytes=1,
                       round_robin=None)
        return _channel.endpoint(_channel.ChannelOptions(**{**options, **more}))

    one = arguments("localhost:1")
    assert one.target == "localhost:1"
    assert "grpc.service_config" not in dict(one.arguments)
    two = arguments("127.0.0.1:1,127.0.0.2:2")
    assert two.target == "ipv4:127.0.0.1:1,127.0.0.2:2"
    assert '"serviceName": "mre.v1.AnytimeInference"' in dict(two.arguments)[
        "grpc.service_config"]
    assert arguments("[::1]:1,[::1]:2").target == "ipv6:[::1]:1,[::1]:2"
    assert "grpc.service_config" in dict(arguments("dns:///x:1").arguments)
    assert "grpc.service_config" not in dict(
        arguments("dns:///x:1", round_robin=False).arguments)
    probing = dict(arguments("x:1", keepalive=2.5).arguments)
    assert probing["grpc.keepalive_time_ms"] == 2500
    assert probing["grpc.http2.max_pings_without_data"] == 0  # no limit


class Pings:
    """A proxy of one connection that counts the client's HTTP/2 pings."""

    def __init__(self, target):
        self.count = 0
        host, port = target.split(":")
        self._server = socket.create_connection((host, int(port)))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.target = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._forward, daemon=True).start()

    def _forward(self):
        client, _ = self._listener.accept()
        threading.Thread(target=self._answer, args=(client,), daemon=True).start()
        frames = client.makefile("rb")
        self._server.sendall(frames.read(24))  # "PRI * HTTP/2.0..."
        while head := frames.read(9):
            self._server.sendall(head + frames.read(int.from_bytes(head[:3], "big")))
            self.count += head[3] == 6 and not head[4] & 1  # no acknowledgement
        self._server.close()

    def _answer(self, client):
        with contextlib.suppress(OSError):
            while data := self._server.recv(1 << 16):
                client.sendall(data)


def test_a_connection_is_probed_for_as_long_as_a_call_runs():
    # gRPC stops after two by itself, and sends no more than one a second.
    patient = [("grpc.http2.min_ping_interval_without_data_ms", 1),
               ("grpc.http2.max_ping_strikes", 0)]
    with FakeServer([HELD], options=patient) as server:
        pings = Pings(server.target)
        with mre_serving.Client(pings.target, keepalive=0.1) as client:
            held = iter(client.stream(SMALL, model="fake"))
            next(held)
            await_true(lambda: pings.count >= 5)
