"""The client whose calls block."""
from __future__ import annotations

import contextlib
import threading
from types import TracebackType
from typing import (TYPE_CHECKING, Any, Callable, Iterator, List, Optional, Tuple, Type,
                    Union)

import grpc

from . import _channel, _proto, _shared, errors, options, types
from ._input import to_rows
from .retry import Attempts, RetryPolicy
from .session import Session

if TYPE_CHECKING:
    from typing_extensions import Unpack


class Client(_shared.ClientBase):
    """A client of mre-server. Thread-safe: any number of calls may run at once.

        with mre_serving.Client("localhost:8001") as client:
            for p in client.stream(image, max_steps=8):
                print(p.step, p.label, p.confidence)

    It connects with the first call, and again by itself when the connection is lost.
    All methods raise subclasses of MreError.

    target: HOST:PORT; several with commas between are all used in turn (round robin),
        but for those that do not answer or whose health is not SERVING. Names among
        several are resolved once; a gRPC URI such as dns:///name:port is resolved
        again when connections are lost, and its addresses are used in turn too.
    tls: True, or Tls(...) for certificates of your own; False: plaintext.
    token: sent as "authorization: Bearer TOKEN" with each call; a function is asked
        for it each time. Never sent unencrypted to another machine, unless
        insecure_token is True.
    retry: see RetryPolicy; None: never.
    timeout: seconds that a call may take, retries included, unless the call says
        otherwise; None: no limit. (A budget's max_time instead bounds the server's
        work, and ends with an answer.)
    keepalive: seconds of silence after which a running call's connection is probed;
        servers close connections that are probed more often than they allow, by
        gRPC's default 300 s.
    compression: "gzip" or "deflate", of what is sent.
    max_message_bytes: the largest message sent or accepted.
    round_robin: whether to use all addresses; None: as said at `target`.
    """

    def __init__(self, target: str = "localhost:8001", *,
                 tls: Union[bool, _channel.Tls] = False,
                 token: Optional[_channel.Token] = None,
                 insecure_token: bool = False,
                 retry: Optional[RetryPolicy] = RetryPolicy(),
                 timeout: Optional[float] = None,
                 keepalive: Optional[float] = None,
                 compression: Optional[str] = None,
                 max_message_bytes: int = 64 << 20,
                 round_robin: Optional[bool] = None):
        super().__init__(
            _channel.ChannelOptions(target, tls, token, insecure_token, keepalive,
                                    compression, max_message_bytes, round_robin),
            retry, timeout)
        to = self._endpoint
        # Otherwise channels with the same arguments share a connection.
        arguments = to.arguments + [("grpc.use_local_subchannel_pool", 1)]
        if to.credentials is None:
            self._channel = grpc.insecure_channel(
                to.target, arguments, compression=to.compression)
        else:
            self._channel = grpc.secure_channel(
                to.target, to.credentials, arguments, compression=to.compression)
        self._rpcs = _shared.make_rpcs(self._channel)
        # Told when the client is closed or a stream cancelled: some call may wait to
        # be made again.
        self._changed = threading.Condition()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: Optional[Type[BaseException]],
                 error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        self.close()

    def close(self) -> None:
        """Cancels what runs, which gets Cancelled, and closes the connection."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._channel.close()

    def predict(self, input: Any, *, timeout: Optional[float] = None,
                metadata: _shared.Metadata = (),
                **given: Unpack[options.PredictOptions]) -> Any:
        """The final prediction under the budget: a Prediction for one row, for a
        batch a list of one a row (typed: `predict_rows`).

        input: of the model's shape, such as [28, 28, 1] (height, width, channels;
            one channel may be left out), or [rows, ...] for a batch: an array of
            uint8 or floats, anything that numpy makes one of, a PIL image of the
            model's size, or text for a model of text. Floats are the same values as
            uint8, 0 to 255 for images: do not scale them.
        metadata: sent along, such as (("traceparent", "00-..."),).
        given: budget, model and output; see PredictOptions.
        """
        batched, rows = self._predict(input, timeout, metadata, given)
        return rows if batched else rows[0]

    def predict_rows(self, input: Any, *, timeout: Optional[float] = None,
                     metadata: _shared.Metadata = (),
                     **given: Unpack[options.PredictOptions]
                     ) -> List[types.Prediction]:
        """As `predict`, but always a list."""
        return self._predict(input, timeout, metadata, given)[1]

    def stream(self, input: Any, *, timeout: Optional[float] = None,
               metadata: _shared.Metadata = (),
               **given: Unpack[options.PredictOptions]) -> PredictionStream:
        """Every step's prediction as soon as it exists; arguments as of `predict`.

        Leaving the loop cancels the call, which frees its rows in the server. The
        timeout counts from here.
        """
        attempts = Attempts(self._retry, self._limit(timeout))
        prepared = self._prepare(input, given, attempts, metadata)
        return PredictionStream(self, prepared.request, attempts, metadata)

    def interactive(self, *, timeout: Optional[float] = None,
                    metadata: _shared.Metadata = ()) -> Session:
        """A session on which many requests run and can be steered.

        timeout: of the whole session.
        """
        def prepare(value: Any, given: options.PredictOptions) -> _shared.Prepared:
            attempts = Attempts(self._retry, self._timeout)
            return self._prepare(value, given, attempts, metadata)

        with self._unless_closed():
            return Session(self._rpcs["PredictInteractive"], self._metadata(metadata),
                           self._limit(timeout), prepare, self._failed)

    def models(self, *, timeout: Optional[float] = None) -> List[types.ModelInfo]:
        """All models and versions, those that are not ready too."""
        attempts = Attempts(self._retry, self._limit(timeout))
        answer = self._unary("ListModels", _proto.ListModelsRequest(), attempts)
        return [types.model_info(m) for m in answer.models]

    def model(self, name: Optional[str] = None, *, version: int = 0, label: str = "",
              timeout: Optional[float] = None) -> types.ModelInfo:
        """One model, ready or not; the only one when the name is left out."""
        return self._model((name, version, label),
                           Attempts(self._retry, self._limit(timeout)))

    def health(self, service: str = "", *,
               timeout: Optional[float] = None) -> types.Health:
        """What the server says of itself, or of the service "mre.v1.AnytimeInference".
        """
        attempts = Attempts(self._retry, self._limit(timeout))
        return types.Health(self._unary("Health", service, attempts))

    def _unary(self, name: str, request: Any, attempts: Attempts,
               metadata: _shared.Metadata = ()) -> Any:
        while True:
            try:
                with self._unless_closed():
                    return self._rpcs[name](request, timeout=attempts.remaining(),
                                            metadata=self._metadata(metadata))
            except grpc.RpcError as raised:
                error = self._failed(errors.from_rpc(raised))
            self._pause(attempts.wait_after(error))

    @contextlib.contextmanager
    def _unless_closed(self) -> Iterator[None]:
        """Around the beginning of a call: gRPC has a ValueError for a channel that
        was closed."""
        try:
            yield
        except ValueError:
            if not self._closed:
                raise
            raise _shared.closed() from None

    def _pause(self, seconds: float,
               cancelled: Callable[[], bool] = lambda: False) -> None:
        """Waits, while gRPC goes on to connect: it does only while some call waits
        for a connection, so one does."""
        with self._unless_closed():
            call = self._rpcs["Health"].future("", timeout=seconds,
                                               wait_for_ready=True)
        with self._changed:
            self._changed.wait_for(lambda: self._closed or cancelled(), seconds)
        call.cancel()

    def _model(self, key: _shared.ModelKey, attempts: Attempts,
               metadata: _shared.Metadata = ()) -> types.ModelInfo:
        name, version, label = key
        if name is None:
            answer = self._unary("ListModels", _proto.ListModelsRequest(), attempts,
                                 metadata)
            name = _shared.only_model(map(types.model_info, answer.models))
        request = _shared.get_model_request(name, version, label)
        return types.model_info(self._unary("GetModel", request, attempts, metadata))

    def _prepare(self, value: Any, given: options.PredictOptions, attempts: Attempts,
                 metadata: _shared.Metadata) -> _shared.Prepared:
        options.check(given)
        key = _shared.model_key(given)
        known = self._models.get(key)
        rows = _shared.fit(value, known)
        if known is None or rows is None:
            known = self._model(key, attempts, metadata)
            _shared.check_ready(known)
            self._models = {**self._models, key: known}
            rows = to_rows(value, known.input_shape)
        return _shared.prepare(rows, given, known)

    def _predict(self, value: Any, timeout: Optional[float],
                 metadata: _shared.Metadata,
                 given: options.PredictOptions
                 ) -> Tuple[bool, List[types.Prediction]]:
        attempts = Attempts(self._retry, self._limit(timeout))
        prepared = self._prepare(value, given, attempts, metadata)
        update = self._unary("Predict", prepared.request, attempts, metadata)
        return prepared.batched, _shared.finals(types.predictions(update))


class PredictionStream:
    """The predictions of one call, to be iterated once. The call begins with the
    first `next`, and is cancelled when the loop over it is left."""

    def __init__(self, client: Client, request: Any, attempts: Attempts,
                 metadata: _shared.Metadata):
        self._client = client
        self._request = request
        self._attempts = attempts
        self._metadata = metadata
        self._cancelled = False
        self._call: Any = None
        self._steps: Optional[Iterator[types.Prediction]] = self._run()

    def __iter__(self) -> Iterator[types.Prediction]:
        # Given away, so that it ends with the loop that has it.
        steps, self._steps = self._steps, None
        if steps is None:
            raise RuntimeError("a stream of predictions can be iterated once")
        return steps

    def cancel(self) -> None:
        """Ends the call from another thread; the loop gets Cancelled."""
        with self._client._changed:
            self._cancelled = True
            self._client._changed.notify_all()
        if self._call is not None:
            self._call.cancel()

    def _run(self) -> Iterator[types.Prediction]:
        client = self._client
        received = False
        while not self._cancelled:
            with client._unless_closed():
                self._call = call = client._rpcs["PredictStream"](
                    self._request, timeout=self._attempts.remaining(),
                    metadata=client._metadata(self._metadata))
            try:
                if self._cancelled:
                    break
                for update in call:
                    received = True
                    yield from types.predictions(update)
                return
            except grpc.RpcError as raised:
                error = client._failed(errors.from_rpc(raised))
            finally:
                call.cancel()  # does nothing when it has ended
            if received:
                raise error
            client._pause(self._attempts.wait_after(error), lambda: self._cancelled)
        raise errors.Cancelled("the call was cancelled")
