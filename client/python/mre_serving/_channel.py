"""Addresses, credentials and channel arguments: what both clients share."""
from __future__ import annotations

import dataclasses
import ipaddress
import json
import os
import socket
from typing import Any, Callable, List, Optional, Tuple, Union

import grpc

from . import _proto
from .errors import InvalidArgument

PathLike = Union[str, "os.PathLike[str]"]
Token = Union[str, Callable[[], str]]

COMPRESSIONS = {None: grpc.Compression.NoCompression,
                "gzip": grpc.Compression.Gzip,
                "deflate": grpc.Compression.Deflate}


@dataclasses.dataclass(frozen=True)
class Tls:
    """Encrypt the connection.

    ca: PEM file of the certificates that may have signed the server's; None: the
        roots that gRPC ships.
    certificate, key: PEM files by which the server knows this client (mTLS).
    server_name: the name that the server's certificate must be for, when it is not
        the host of the address.
    """

    ca: Optional[PathLike] = None
    certificate: Optional[PathLike] = None
    key: Optional[PathLike] = None
    server_name: Optional[str] = None

    def credentials(self) -> grpc.ChannelCredentials:
        if (self.certificate is None) != (self.key is None):
            raise InvalidArgument(
                "tls: expected certificate and key together, got only one")
        return grpc.ssl_channel_credentials(
            _read(self.ca), _read(self.key), _read(self.certificate))


def _read(path: Optional[PathLike]) -> Optional[bytes]:
    if path is None:
        return None
    with open(path, "rb") as file:
        return file.read()


@dataclasses.dataclass(frozen=True)
class ChannelOptions:
    """The arguments of Client() that concern the connection, as given there."""

    target: str
    tls: Union[bool, Tls]
    token: Optional[Token]
    insecure_token: bool
    keepalive: Optional[float]
    compression: Optional[str]
    max_message_bytes: int
    round_robin: Optional[bool]


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """What gRPC is told."""

    target: str
    credentials: Optional[grpc.ChannelCredentials]  # None: plaintext
    arguments: List[Tuple[str, Any]]
    compression: grpc.Compression


def _split(address: str) -> Tuple[str, int]:
    """Host and port of HOST:PORT; IPv6 hosts are in brackets."""
    host, colon, port = address.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if (colon and host and port.isascii() and port.isdigit()
            and 0 < int(port) < 65536 and (bracketed or ":" not in host)):
        return host.strip("[]"), int(port)
    raise InvalidArgument(
        f"target: expected HOST:PORT, such as localhost:8001, or several with commas "
        f"between, got {address!r}")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _resolve(hosts: List[Tuple[str, int]]) -> str:
    """One target of several addresses, which gRPC wants as numbers."""
    for family, scheme, shape in ((socket.AF_INET, "ipv4", "{}:{}"),
                                  (socket.AF_INET6, "ipv6", "[{}]:{}")):
        found: List[str] = []
        try:
            for host, port in hosts:
                info = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
                found.append(shape.format(info[0][4][0], port))
        except socket.gaierror:
            continue
        return f"{scheme}:" + ",".join(found)
    raise InvalidArgument("target: these hosts have no addresses of one kind (IPv4 or "
                          "IPv6): " + ", ".join(host for host, _ in hosts))


def _service_config() -> str:
    return json.dumps({
        "loadBalancingConfig": [{"round_robin": {}}],
        "healthCheckConfig": {"serviceName": _proto.SERVICE}})


def endpoint(options: ChannelOptions) -> Endpoint:
    """Checks the options and says how to connect. Raises InvalidArgument."""
    target = options.target
    hosts: List[Tuple[str, int]] = []
    if "," in target and ":" in target and not target.startswith(("ipv4:", "ipv6:")):
        hosts = [_split(part.strip()) for part in target.split(",")]
        target = _resolve(hosts)
    elif not target.startswith(("dns:", "ipv4:", "ipv6:", "unix:", "xds:")):
        hosts = [_split(target)]
    tls = Tls() if options.tls is True else options.tls or None
    _check_token(options, hosts, encrypted=tls is not None)
    if options.compression not in COMPRESSIONS:
        raise InvalidArgument('compression: expected "gzip", "deflate" or None, got '
                              f"{options.compression!r}")
    arguments: List[Tuple[str, Any]] = [
        ("grpc.max_send_message_length", options.max_message_bytes),
        ("grpc.max_receive_message_length", options.max_message_bytes),
        # A server that was just started again is found soon.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 2000),
        # Despite its name: how long a connection may take to be made.
        ("grpc.min_reconnect_backoff_ms", 5000),
        # What is retried, and when, is this package's to decide.
        ("grpc.enable_retries", 0),
        # As the program mre: the connection is direct.
        ("grpc.enable_http_proxy", 0),
    ]
    several = len(hosts) > 1 or not hosts and target.startswith(("dns:", "ipv"))
    if several if options.round_robin is None else options.round_robin:
        arguments.append(("grpc.service_config", _service_config()))
        arguments.append(("grpc.service_config_disable_resolution", 1))
    if options.keepalive is not None:
        if not options.keepalive > 0:
            raise InvalidArgument(
                f"keepalive: expected seconds above 0, got {options.keepalive!r}")
        arguments.append(("grpc.keepalive_time_ms", round(options.keepalive * 1000)))
        arguments.append(("grpc.keepalive_permit_without_calls", 0))
        # Otherwise gRPC stops after two probes that no message followed.
        arguments.append(("grpc.http2.max_pings_without_data", 0))
    if tls is not None:
        name = tls.server_name
        if name is None and len(hosts) > 1:
            if len({host for host, _ in hosts}) > 1:
                raise InvalidArgument(
                    "tls: several hosts need the one name that their certificates "
                    "are for: Tls(server_name=...)")
            name = hosts[0][0]
        if name is not None:
            arguments.append(("grpc.ssl_target_name_override", name))
    return Endpoint(target, None if tls is None else tls.credentials(), arguments,
                    COMPRESSIONS[options.compression])


def _check_token(options: ChannelOptions, hosts: List[Tuple[str, int]],
                 encrypted: bool) -> None:
    if isinstance(options.token, str):
        _clean(options.token)
    if options.token is None or encrypted or options.insecure_token:
        return
    local = (options.target.startswith("unix:")
             or bool(hosts) and all(_is_loopback(host) for host, _ in hosts))
    if not local:
        raise InvalidArgument(
            "token: it would travel unencrypted to another machine; expected tls=True "
            "or tls=Tls(...), or insecure_token=True if you mean it")


def _clean(token: str) -> str:
    """The token without the line's end that a file of it has. Never shown."""
    token = token.strip()
    if not token or not all("!" <= c <= "~" for c in token):
        raise InvalidArgument(
            "token: expected visible ASCII characters, no spaces; it has others, or "
            "none")
    return token


def metadata(token: Optional[Token]) -> Tuple[Tuple[str, str], ...]:
    """What each call sends along; a callable token is asked each time."""
    if token is None:
        return ()
    return (("authorization",
             f"Bearer {_clean(token if isinstance(token, str) else token())}"),)
