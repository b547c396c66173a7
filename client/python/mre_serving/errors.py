"""What can go wrong, one class a gRPC status code that a caller may act on."""
from __future__ import annotations

from typing import Any, Dict, Iterable, Optional, Tuple, Type

import grpc


class MreError(Exception):
    """Base of all errors of this package.

    code: the status code's name, such as "NOT_FOUND".
    message: what the server said, or what this client found before asking it.
    retry_after: seconds after which the server wants to be asked again, or None.
    """

    code = "UNKNOWN"

    def __init__(self, message: str, *, code: Optional[str] = None,
                 retry_after: Optional[float] = None):
        self.message = message
        self.retry_after = retry_after
        if code is not None:
            self.code = code
        super().__init__(message)

    def __str__(self) -> str:
        after = "" if self.retry_after is None else (
            f" (the server asks to retry after {self.retry_after:g} s)")
        return f"{self.code}: {self.message}{after}"


class InvalidArgument(MreError, ValueError):
    """The request is wrong; the message names the field and what was expected."""

    code = "INVALID_ARGUMENT"


class NotFound(MreError):
    """No such model, version or service."""

    code = "NOT_FOUND"


class ResourceExhausted(MreError):
    """Too busy, or a limit was reached: see `retry_after`."""

    code = "RESOURCE_EXHAUSTED"


class Unavailable(MreError):
    """No connection, a lost one, or a server that is starting or shutting down."""

    code = "UNAVAILABLE"


class DeadlineExceeded(MreError):
    """`timeout` has passed. (A budget's max_time instead ends with a prediction.)"""

    code = "DEADLINE_EXCEEDED"


class Cancelled(MreError):
    """The call was cancelled, or its client was closed."""

    code = "CANCELLED"


class Unauthenticated(MreError):
    """The token or certificate is missing or not known."""

    code = "UNAUTHENTICATED"


class PermissionDenied(MreError):
    """The token is known and does not allow this."""

    code = "PERMISSION_DENIED"


_CLASSES: Dict[str, Type[MreError]] = {
    c.code: c for c in (InvalidArgument, NotFound, ResourceExhausted, Unavailable,
                        DeadlineExceeded, Cancelled, Unauthenticated,
                        PermissionDenied)}

_NAMES = {code.value[0]: code.name for code in grpc.StatusCode}


def make(code: str, message: str, retry_after: Optional[float] = None) -> MreError:
    """The error of a status code's name."""
    return _CLASSES.get(code, MreError)(message, code=code, retry_after=retry_after)


def from_rpc(error: Any) -> MreError:
    """The error of a grpc.RpcError, with what its trailing metadata says."""
    code = error.code()
    name = "UNKNOWN" if code is None else code.name
    if _dropped(name, error.details() or ""):
        return make("UNAVAILABLE", f"the server dropped the call ({error.details()})")
    return make(name, error.details() or "", _pushback(error.trailing_metadata()))


def _dropped(code: str, message: str) -> bool:
    """Whether the other side's transport, not its service, ended the call: so do
    servers to calls that arrive while they close their port, and broken ones. gRPC
    has no status of its own for it; these are its words."""
    return (code == message == "CANCELLED"
            or code in ("CANCELLED", "INTERNAL", "UNKNOWN")
            and message.startswith("Received RST_STREAM with error code"))


def from_message(error: Any) -> MreError:
    """The error of a mre.v1.Error."""
    after = error.retry_after_ms / 1000 if error.retry_after_ms else None
    return make(_NAMES.get(error.code, "UNKNOWN"), error.message, after)


def _pushback(metadata: Optional[Iterable[Tuple[str, Any]]]) -> Optional[float]:
    """Seconds; None when it says nothing, "do not retry" (negative), or no number."""
    for key, value in metadata or ():
        if key == "grpc-retry-pushback-ms":
            try:
                ms = int(value)
            except ValueError:
                return None
            return ms / 1000 if ms >= 0 else None
    return None
