"""A client that speaks HTTP/2 by hand, so that it can speak it badly.

RFC 9113, and of RFC 7541 what needs no table: literals, without Huffman's code.
"""
import socket
import ssl
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7
ACK = END_STREAM = 1
END_HEADERS = 4
NO_ERROR, ENHANCE_YOUR_CALM = 0, 0xb


def frame(kind, flags=0, stream=0, payload=b""):
    return (struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) +
            struct.pack(">I", stream) + payload)


HELLO = PREFACE + frame(SETTINGS)


def headers_of_call(path, stream=1):
    """What opens a gRPC call."""
    block = b""
    for name, value in ((":method", "POST"), (":scheme", "http"),
                        (":path", path), (":authority", "localhost"),
                        ("te", "trailers"),
                        ("content-type", "application/grpc")):
        block += bytes([0, len(name)]) + name.encode()
        block += bytes([len(value)]) + value.encode()
    return frame(HEADERS, END_HEADERS, stream, block)


def go_away(payload):
    """The error code of a GOAWAY, and why."""
    return struct.unpack(">I", payload[4:8])[0], payload[8:].decode()


def connect(target):
    host, port = target.rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=60)


class Connection:
    """One whose handshake is done. Without `polite` it answers no PING."""

    def __init__(self, target, polite=True, tls=None):
        self._polite = polite
        self._socket = connect(target)
        if tls is not None:
            self._socket = tls.wrap_socket(self._socket,
                                           server_hostname="localhost")
        self.send(HELLO)
        for kind, flags, _, _ in self.frames():
            if kind == SETTINGS and not flags & ACK:
                break
        else:
            raise AssertionError("closed before it had begun")

    def send(self, frames):
        self._socket.sendall(frames)

    def frames(self):
        """(kind, flags, stream, payload) of each, until the server hangs up."""
        while True:
            try:
                head = self._read(9)
                payload = head and self._read(int.from_bytes(head[:3], "big"))
            except ConnectionError:
                return
            if payload is None:
                return
            kind, flags = head[3], head[4]
            if kind == SETTINGS and not flags & ACK:
                self.send(frame(SETTINGS, ACK))
            if kind == PING and not flags & ACK and self._polite:
                self.send(frame(PING, ACK, payload=payload))
            yield kind, flags, struct.unpack(">I", head[5:])[0], payload

    def hung_up(self):
        """Whether the server has, by now."""
        self._socket.settimeout(0)
        try:
            while self._socket.recv(4096):
                pass
            return True
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        except ConnectionError:
            return True
        finally:
            self._socket.settimeout(60)

    def close(self):
        self._socket.close()

    def _read(self, count):
        """So many bytes; None: the server has hung up."""
        data = b""
        while len(data) < count:
            more = self._socket.recv(count - len(data))
            if not more:
                return None
            data += more
        return data
