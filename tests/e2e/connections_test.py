"""Connections and their limits: how many, how long, and what they may do.

Each case starts the real server; some clients speak HTTP/2 by hand, badly.
"""
import resource
import socket
import ssl

import http2
from door_server import (HEALTH, LIST, OK, RESOURCE_EXHAUSTED, SERVING, Server,
                         eventually, grpc, run)


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
        return closed(http2.connect(server.target))
    except ConnectionError:
        return True


def connection_limit(context):
    with Server(context, "--max_connections=5") as server:
        held = [http2.connect(server.target) for _ in range(5)]
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


def too_many_pings(context):
    flags = ("--min_ping_seconds=60",)
    pings = b"".join(http2.frame(http2.PING, payload=bytes([i] * 8))
                     for i in range(20))
    with Server(context, *flags, "--max_ping_strikes=1") as server:
        with server.channel() as channel:
            held = channel.unary_stream("/grpc.health.v1.Health/Watch")(b"")
            assert next(held) == SERVING
            pinging = http2.Connection(server.target)
            pinging.send(pings)
            told = [http2.go_away(payload)
                    for kind, _, _, payload in pinging.frames()
                    if kind == http2.GOAWAY]
            assert told == [(http2.ENHANCE_YOUR_CALM, "too_many_pings")], told
            # Others are not closed.
            assert channel.unary_unary(HEALTH)(b"", timeout=20) == SERVING
            assert held.is_active()
            held.cancel()
    with Server(context, *flags, "--max_ping_strikes=0") as server:
        pinging = http2.Connection(server.target)
        pinging.send(pings)
        answered = 0
        for kind, flag, _, _ in pinging.frames():
            assert kind != http2.GOAWAY
            answered += kind == http2.PING and flag == http2.ACK
            if answered == 20:
                break
        assert answered == 20
        pinging.close()


def age_of_a_connection(context):
    with Server(context, "--max_connection_age_seconds=1",
                "--max_connection_age_grace_seconds=1") as server:
        # One after the other, for none is so young for ever.
        for _ in range(2):
            old = http2.Connection(server.target)
            told = [http2.go_away(payload)
                    for kind, _, _, payload in old.frames()
                    if kind == http2.GOAWAY]
            assert {code for code, _ in told} == {http2.NO_ERROR}, told
            assert server.code() == OK
        assert server.value("mre_connections_refused_total") == 0


def mute_scrapers(context):
    """Who connects to the metrics page and says nothing does not hold it up."""
    with Server(context) as server:
        mute = [http2.connect(server.metrics) for _ in range(3)]
        for _ in range(2):
            assert "mre_connections" in server.page()
        for connection in mute:
            connection.close()


def keepalive(context):
    with Server(context, "--keepalive_seconds=1",
                "--keepalive_timeout_seconds=5") as server:
        with server.channel() as channel:  # it answers by itself
            held = channel.unary_stream("/grpc.health.v1.Health/Watch")(b"")
            assert next(held) == SERVING
            silent = http2.Connection(server.target, polite=False)
            kinds = {(kind, flags) for kind, flags, _, _ in silent.frames()}
            assert (http2.PING, 0) in kinds, kinds
            assert held.is_active()
            held.cancel()


def out_of_file_descriptors(context):
    """With none left the server refuses, and serves again when there are."""
    with Server(context) as server:
        open_now = int(server.value("process_open_fds"))
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE,
                         (open_now + 20, open_now + 20))
        held = []
        for _ in range(60):
            try:
                held.append(http2.connect(server.target))
            except ConnectionError:
                pass
        eventually(lambda: "no more file descriptors" in server.log(),
                   "a refusal")
        for connection in held:
            connection.close()
        eventually(lambda: server.code(method=HEALTH) == OK, "served again")


def room_for_clients():
    """How many may say nothing at all, and how many nothing after a hello."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    room = max(hard - 600, 100)
    idle = min(5000, room // 2)
    greeted = min(5000, room - idle)
    if min(idle, greeted) < 5000:
        print(f"slow_clients: WARNING: ONLY {idle} + {greeted} CONNECTIONS, "
              f"for this process may open {hard} files (ulimit -Hn)",
              flush=True)
    return idle, greeted


def send_byte(connection, byte):
    try:
        connection.send(bytes([byte]))
    except ConnectionError:
        pass  # it took too long already


def slow_clients(context):
    """Thousands who say nothing, or little by little, do not stop others."""
    idle_count, greeted_count = room_for_clients()
    hello = bytes.fromhex("1603010200010001fc0303")  # a ClientHello's beginning
    for flags, beginning, trust in (((), http2.PREFACE, None),
                                    (context.tls_flags(), hello,
                                     context.trust())):
        tls = None
        if trust is not None:
            tls = ssl.create_default_context(cafile=context.authority.cert)
            tls.set_alpn_protocols(["h2"])
            greeted_count = min(greeted_count, 1000)  # a handshake each
        with Server(context, *flags, "--handshake_seconds=10",
                    f"--max_connections={idle_count + greeted_count + 100}"
                    ) as server:
            # These have shaken hands, so they may stay.
            greeted = [http2.Connection(server.target, tls=tls)
                       for _ in range(greeted_count)]
            # And these ask, a byte at a time.
            asking = [http2.Connection(server.target, tls=tls)
                      for _ in range(20)]
            for connection in asking:
                connection.send(http2.headers_of_call(LIST))
            message = (b"\x00" + (50).to_bytes(4, "big") + b"\x7a\x30" +
                       bytes(48))  # a field that nobody knows
            idle = [http2.connect(server.target) for _ in range(idle_count)]
            loris = [http2.connect(server.target) for _ in range(20)]
            for i, byte in enumerate(beginning):
                for connection in loris:
                    send_byte(connection, byte)
                for connection in asking:
                    connection.send(http2.frame(http2.DATA, 0, 1,
                                                message[i:i + 1]))
                if i % 4 == 0:
                    assert server.code(trust) == OK, i
            # All are gone in time, the ones that had begun too.
            assert all(closed(connection) for connection in idle[:50] + loris)
            staying = greeted_count + len(asking)
            eventually(lambda: server.value("mre_connections") < staying + 5,
                       "their places free", 60)
            assert server.code(trust) == OK
            assert not any(connection.hung_up() for connection in greeted)
            # Who has said all is answered.
            rest = message[len(beginning):]
            for connection in asking:
                connection.send(http2.frame(http2.DATA, http2.END_STREAM, 1,
                                            rest))
                kinds = []
                for kind, flag, stream, _ in connection.frames():
                    kinds.append(kind)
                    if stream == 1 and flag & http2.END_STREAM:
                        break
                assert http2.DATA in kinds, kinds
            for connection in idle + loris + greeted + asking:
                connection.close()


if __name__ == "__main__":
    run([connection_limit, limits_of_a_connection, too_many_pings,
         age_of_a_connection, mute_scrapers, keepalive, out_of_file_descriptors,
         slow_clients])
