"""The client for asyncio. Its methods mean what those of mre_serving.Client mean.

    async with mre_serving.AsyncClient("localhost:8001") as client:
        async for p in client.stream(image, max_steps=8):
            print(p.step, p.label, p.confidence)

A client belongs to the event loop in which it is first used.
"""
from __future__ import annotations

import asyncio
import weakref
from types import TracebackType
from typing import (TYPE_CHECKING, Any, AsyncIterator, Awaitable, Callable, Dict, List,
                    Optional, Tuple, Type, TypeVar, Union)

import grpc
import grpc.aio

from . import _channel, _proto, _shared, errors, options, types
from ._handle import HandleBase
from ._inbox import Box, Inbox
from ._input import to_rows
from .retry import Attempts, RetryPolicy

if TYPE_CHECKING:
    from typing_extensions import Unpack

T = TypeVar("T")


def _cancellations() -> int:
    """How often the running task was asked to end; 0 before Python 3.11."""
    count = getattr(asyncio.current_task(), "cancelling", None)
    return 0 if count is None else int(count())


class AsyncClient(_shared.ClientBase):
    """As mre_serving.Client, whose arguments it takes, for asyncio."""

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
        self._channel: Any = None
        self._made: Dict[str, Any] = {}
        # Those that may run: gRPC does not know them all when its channel is closed.
        self._calls: weakref.WeakSet[Any] = weakref.WeakSet()
        self._closing: Any = None  # an asyncio.Event

    def _rpc(self, name: str) -> Any:
        # Not before an event loop runs: the channel keeps it.
        if self._channel is None:
            to = self._endpoint
            arguments = to.arguments + [("grpc.use_local_subchannel_pool", 1)]
            if to.credentials is None:
                self._channel = grpc.aio.insecure_channel(
                    to.target, arguments, compression=to.compression)
            else:
                self._channel = grpc.aio.secure_channel(
                    to.target, to.credentials, arguments, compression=to.compression)
            self._made = _shared.make_rpcs(self._channel)
            self._closing = asyncio.Event()
        return self._made[name]

    def _begin(self, name: str, timeout: Optional[float], more: _shared.Metadata,
               *request: Any) -> Any:
        """A call that close() ends."""
        metadata = self._metadata(more)
        call = self._rpc(name)(*request, timeout=timeout, metadata=metadata)
        self._calls.add(call)
        return call

    async def _outcome(self, awaited: Awaitable[T]) -> T:
        """What a call gives. Where close() cancelled the call, and nobody this task,
        that is an error of this package (before Python 3.11 also if both did)."""
        before = _cancellations()
        try:
            return await awaited
        except asyncio.CancelledError:
            if not self._closed or _cancellations() > before:
                raise
            raise _shared.closed() from None

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._closing.wait(), seconds)
        except asyncio.TimeoutError:
            pass

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, kind: Optional[Type[BaseException]],
                        error: Optional[BaseException],
                        trace: Optional[TracebackType]) -> None:
        await self.close()

    async def close(self) -> None:
        """Cancels what runs, which gets Cancelled, and closes the connection."""
        self._closed = True
        if self._channel is not None:
            self._closing.set()
            for call in list(self._calls):
                call.cancel()
            await self._channel.close()

    async def predict(self, input: Any, *, timeout: Optional[float] = None,
                      metadata: _shared.Metadata = (),
                      **given: Unpack[options.PredictOptions]) -> Any:
        """The final prediction under the budget; for a batch a list, one a row."""
        batched, rows = await self._predict(input, timeout, metadata, given)
        return rows if batched else rows[0]

    async def predict_rows(self, input: Any, *, timeout: Optional[float] = None,
                           metadata: _shared.Metadata = (),
                           **given: Unpack[options.PredictOptions]
                           ) -> List[types.Prediction]:
        """As `predict`, but always a list."""
        return (await self._predict(input, timeout, metadata, given))[1]

    def stream(self, input: Any, *, timeout: Optional[float] = None,
               metadata: _shared.Metadata = (),
               **given: Unpack[options.PredictOptions]
               ) -> AsyncIterator[types.Prediction]:
        """Every step's prediction as soon as it exists.

        Leaving the loop cancels the call, which frees its rows in the server. The
        timeout counts from here.
        """
        options.check(given)
        attempts = Attempts(self._retry, self._limit(timeout))
        return self._stream(input, attempts, metadata, given)

    def interactive(self, *, timeout: Optional[float] = None,
                    metadata: _shared.Metadata = ()) -> AsyncSession:
        """A session on which many requests run and can be steered: use it with
        `async with`."""
        async def prepare(value: Any,
                          given: options.PredictOptions) -> _shared.Prepared:
            attempts = Attempts(self._retry, self._timeout)
            return await self._prepare(value, given, attempts, metadata)

        call = self._begin("PredictInteractive", self._limit(timeout), metadata)
        return AsyncSession(call, prepare, self._failed)

    async def models(self, *,
                     timeout: Optional[float] = None) -> List[types.ModelInfo]:
        """All models and versions, those that are not ready too."""
        attempts = Attempts(self._retry, self._limit(timeout))
        answer = await self._unary("ListModels", _proto.ListModelsRequest(), attempts)
        return [types.model_info(m) for m in answer.models]

    async def model(self, name: Optional[str] = None, *, version: int = 0,
                    label: str = "",
                    timeout: Optional[float] = None) -> types.ModelInfo:
        """One model, ready or not; the only one when the name is left out."""
        return await self._model((name, version, label),
                                 Attempts(self._retry, self._limit(timeout)))

    async def health(self, service: str = "", *,
                     timeout: Optional[float] = None) -> types.Health:
        """What the server says of itself, or of one of its services."""
        attempts = Attempts(self._retry, self._limit(timeout))
        return types.Health(await self._unary("Health", service, attempts))

    async def _unary(self, name: str, request: Any, attempts: Attempts,
                     more: _shared.Metadata = ()) -> Any:
        while True:
            call = self._begin(name, attempts.remaining(), more, request)
            try:
                return await self._outcome(call)
            except grpc.RpcError as raised:
                error = self._failed(errors.from_rpc(raised))
            await self._pause(attempts.wait_after(error))

    async def _model(self, key: _shared.ModelKey, attempts: Attempts,
                     metadata: _shared.Metadata = ()) -> types.ModelInfo:
        name, version, label = key
        if name is None:
            answer = await self._unary("ListModels", _proto.ListModelsRequest(),
                                       attempts, metadata)
            name = _shared.only_model(map(types.model_info, answer.models))
        request = _shared.get_model_request(name, version, label)
        return types.model_info(
            await self._unary("GetModel", request, attempts, metadata))

    async def _prepare(self, value: Any, given: options.PredictOptions,
                       attempts: Attempts,
                       metadata: _shared.Metadata) -> _shared.Prepared:
        options.check(given)
        key = _shared.model_key(given)
        known = self._models.get(key)
        rows = _shared.fit(value, known)
        if known is None or rows is None:
            known = await self._model(key, attempts, metadata)
            _shared.check_ready(known)
            self._models = {**self._models, key: known}
            rows = to_rows(value, known.input_shape)
        return _shared.prepare(rows, given, known)

    async def _predict(self, value: Any, timeout: Optional[float],
                       metadata: _shared.Metadata,
                       given: options.PredictOptions
                       ) -> Tuple[bool, List[types.Prediction]]:
        attempts = Attempts(self._retry, self._limit(timeout))
        prepared = await self._prepare(value, given, attempts, metadata)
        update = await self._unary("Predict", prepared.request, attempts, metadata)
        return prepared.batched, _shared.finals(types.predictions(update))

    async def _stream(self, value: Any, attempts: Attempts,
                      more: _shared.Metadata, given: options.PredictOptions
                      ) -> AsyncIterator[types.Prediction]:
        prepared = await self._prepare(value, given, attempts, more)
        received = False
        while True:
            call = self._begin("PredictStream", attempts.remaining(), more,
                               prepared.request)
            try:
                while (update := await self._outcome(call.read())) is not grpc.aio.EOF:
                    received = True
                    for found in types.predictions(update):
                        yield found
                return
            except grpc.RpcError as raised:
                error = self._failed(errors.from_rpc(raised))
            finally:
                call.cancel()  # does nothing when it has ended
            if received:
                raise error
            await self._pause(attempts.wait_after(error))


class AsyncSession:
    """As mre_serving.Session, made by AsyncClient.interactive().

        async with client.interactive() as session:
            handle = await session.open(image, max_steps=32)
            async for p in handle:
                if p.confidence > 0.9:
                    await handle.stop()
    """

    def __init__(self, call: Any,
                 prepare: Callable[[Any, options.PredictOptions],
                                   Awaitable[_shared.Prepared]],
                 failed: Callable[[errors.MreError], errors.MreError]):
        self._call = call
        self._prepare = prepare
        self._inbox = Inbox(failed)
        self._sending = asyncio.Lock()
        self._reading: Optional[asyncio.Task[None]] = None

    async def __aenter__(self) -> AsyncSession:
        return self

    async def __aexit__(self, kind: Optional[Type[BaseException]],
                        error: Optional[BaseException],
                        trace: Optional[TracebackType]) -> None:
        await self.close()

    async def close(self) -> None:
        """Cancels all requests; their handles get Cancelled."""
        self._inbox.fail(errors.Cancelled("the session is closed"))
        self._call.cancel()
        if self._reading is not None:
            await asyncio.wait({self._reading})

    async def open(self, input: Any,
                   **given: Unpack[options.PredictOptions]) -> AsyncHandle:
        """Begins a request; arguments as of AsyncClient.predict."""
        prepared = await self._prepare(input, given)
        request = prepared.request
        rows = request.input.shape[0] if prepared.batched else 1
        box = self._inbox.open(request.request_id, rows,
                               latest=given.get("delivery") == "latest")
        await self._send(
            _proto.PredictControl(request_id=box.request_id, open=request))
        return AsyncHandle(self, box, prepared.batched)

    async def _send(self, message: Any) -> None:
        # gRPC cancels the call of a write that is cancelled, so none ever is.
        await asyncio.shield(asyncio.ensure_future(self._write(message)))

    async def _write(self, message: Any) -> None:
        async with self._sending:
            try:
                await self._call.write(message)
            except (grpc.RpcError, asyncio.InvalidStateError, asyncio.CancelledError):
                pass  # The session is over; its handles say so, and why.

    async def _next(self, box: Box) -> Optional[types.Prediction]:
        while True:
            found = box.take()
            if found is not None or box.ended:
                return found
            if self._reading is None:
                self._reading = asyncio.ensure_future(self._read())
            # Reads for all who wait, whoever of them is cancelled.
            await asyncio.wait({self._reading})

    async def _read(self) -> None:
        failure: Optional[errors.MreError] = None
        try:
            update = await self._call.read()
            if update is grpc.aio.EOF:
                failure = errors.Unavailable("the server ended the session")
            else:
                self._inbox.deliver(update)
        except grpc.RpcError as raised:
            failure = errors.from_rpc(raised)
        except asyncio.CancelledError:
            failure = errors.Cancelled("the session was cancelled")
        if failure is not None:
            self._inbox.fail(failure)
        self._reading = None


class AsyncHandle(HandleBase):
    """One request of an AsyncSession: an asynchronous iterator of its predictions."""

    def __init__(self, session: AsyncSession, box: Box, batched: bool):
        super().__init__(box, batched)
        self._session = session

    def __aiter__(self) -> AsyncHandle:
        return self

    async def __anext__(self) -> types.Prediction:
        found = await self._session._next(self._box)
        self._note(found)
        if found is None:
            raise StopAsyncIteration
        return found

    async def stop(self) -> None:
        """Ends the request: each row sends its best so far as final."""
        await self._send(self._stop_message())

    async def set_budget(self, **budget: Unpack[options.BudgetOptions]) -> None:
        """Replaces the whole budget: a limit that is left out is none."""
        await self._send(self._budget_message(budget))

    async def result(self) -> Any:
        """Reads to the end: the final prediction, for a batch a list of one a row."""
        async for _ in self:
            pass
        return self._answer()

    async def _send(self, message: Any) -> None:
        if not self._box.ended:
            await self._session._send(message)
