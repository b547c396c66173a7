"""What the two clients do alike, without input or output of their own."""
from __future__ import annotations

from typing import (Any, Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence,
                    Tuple)

from . import _channel, _proto, errors, options, types
from ._input import Rows, to_rows
from .retry import NO_RETRY, RetryPolicy

# How a call of the service is made: kind of call, message sent, message received.
RPCS: Dict[str, Tuple[str, Any, Any]] = {
    "Predict": ("unary_unary", _proto.PredictRequest, _proto.PredictUpdate),
    "PredictStream": ("unary_stream", _proto.PredictRequest, _proto.PredictUpdate),
    "PredictInteractive": ("stream_stream", _proto.PredictControl,
                           _proto.PredictUpdate),
    "ListModels": ("unary_unary", _proto.ListModelsRequest,
                   _proto.ListModelsResponse),
    "GetModel": ("unary_unary", _proto.GetModelRequest, _proto.ModelInfo),
}

# What a call sends along beside the token, such as (("traceparent", "00-..."),).
Metadata = Sequence[Tuple[str, str]]

ModelKey = Tuple[Optional[str], int, str]


class Prepared(NamedTuple):
    """A checked request."""

    request: Any
    batched: bool


def make_rpcs(channel: Any) -> Dict[str, Any]:
    """The service's calls and Health.Check on a channel, sync or asyncio."""
    rpcs = {}
    for name, (kind, request, response) in RPCS.items():
        rpcs[name] = getattr(channel, kind)(
            f"/{_proto.SERVICE}/{name}",
            request_serializer=request.SerializeToString,
            response_deserializer=response.FromString)
    rpcs["Health"] = channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=_health_request, response_deserializer=_health)
    return rpcs


def _health_request(service: str) -> bytes:
    # HealthCheckRequest.service = 1, with its length as a varint.
    name = service.encode()
    length, rest = bytearray(), len(name)
    while rest > 127:
        length.append(rest & 127 | 128)
        rest >>= 7
    length.append(rest)
    return b"\x0a" + bytes(length) + name if name else b""


def _health(data: bytes) -> types.Health:
    # HealthCheckResponse.status = 1; 0 is not written.
    return {b"\x08\x01": types.Health.SERVING,
            b"\x08\x02": types.Health.NOT_SERVING}.get(data, types.Health.UNKNOWN)


class ClientBase:
    """Options, and the models that were asked for."""

    def __init__(self, channel: _channel.ChannelOptions,
                 retry: Optional[RetryPolicy], timeout: Optional[float]):
        self._endpoint = _channel.endpoint(channel)
        self._token = channel.token
        self._retry = NO_RETRY if retry is None else retry
        self._timeout = timeout
        self._closed = False
        # Replaced and read whole, so no lock is needed.
        self._models: Dict[ModelKey, types.ModelInfo] = {}

    def _limit(self, timeout: Optional[float]) -> Optional[float]:
        if timeout is None:
            return self._timeout
        return options.seconds("timeout", timeout)

    def _metadata(self, more: Metadata = ()) -> Tuple[Tuple[str, str], ...]:
        if self._closed:
            raise closed()
        return _channel.metadata(self._token) + tuple(more)

    def _failed(self, error: errors.MreError) -> errors.MreError:
        # The model may be another one by now.
        if isinstance(error, (errors.InvalidArgument, errors.NotFound)):
            self._models = {}
        return error


def closed() -> errors.Cancelled:
    return errors.Cancelled("the client is closed")


def model_key(given: Mapping[str, Any]) -> ModelKey:
    return (given.get("model") or None, given.get("version") or 0,
            given.get("label") or "")


def get_model_request(name: str, version: int, label: str) -> Any:
    return _proto.GetModelRequest(model_name=name, model_version=version,
                                  model_label=label)


def only_model(models: Iterable[types.ModelInfo]) -> str:
    """The name of the one that is ready."""
    names = sorted({m.name for m in models if m.ready})
    if not names:
        raise errors.NotFound("the server has no model that is ready")
    if len(names) > 1:
        raise errors.InvalidArgument(
            "model: the server has several, expected one of " + ", ".join(names))
    return names[0]


def check_ready(model: types.ModelInfo) -> None:
    if not model.ready:
        raise errors.Unavailable(f'model "{model.name}" version {model.version} is '
                                 f"{model.state.name}: {model.error}")


def fit(value: Any, model: Optional[types.ModelInfo]) -> Optional[Rows]:
    """The rows for a model that was asked about before; None: ask (again), for
    there is none, or the rows do not fit what may be another model by now."""
    if model is None:
        return None
    try:
        return to_rows(value, model.input_shape)
    except errors.InvalidArgument:
        return None


def prepare(rows: Rows, given: Mapping[str, Any], model: types.ModelInfo) -> Prepared:
    """REQUIRES: options.check(given)."""
    return Prepared(options.request(given, rows, model.name), rows.batched)


def finals(found: Iterable[types.Prediction]) -> List[types.Prediction]:
    """The final predictions, by row."""
    return sorted((p for p in found if p.final), key=lambda p: p.row)
