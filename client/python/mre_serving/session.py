"""Many requests on one stream, each to be steered while it runs."""
from __future__ import annotations

import collections
import threading
from types import TracebackType
from typing import (TYPE_CHECKING, Any, Callable, Deque, Iterator, List, Optional,
                    Type)

import grpc

from . import _proto, _shared, errors, options, types
from ._handle import HandleBase
from ._inbox import Box, Inbox

if TYPE_CHECKING:
    from typing_extensions import Unpack

# Messages that wait to be sent; opening more waits for the server.
_MAX_OUTGOING = 16


class Session:
    """Made by Client.interactive(). Thread-safe.

        with client.interactive() as session:
            handle = session.open(image, max_steps=32)
            for p in handle:
                if p.confidence > 0.9:
                    handle.stop()

    Nothing is read from the server but while somebody waits for a handle's next
    prediction; what then comes for other handles is kept for them. So memory is
    bounded, and a session that nobody reads makes the server pause. Leaving the `with`
    cancels what is still open. Nothing is retried: a lost connection is Unavailable
    for every handle.
    """

    def __init__(self, rpc: Any, metadata: Any, timeout: Optional[float],
                 prepare: Callable[[Any, options.PredictOptions], _shared.Prepared],
                 failed: Callable[[errors.MreError], errors.MreError]):
        self._prepare = prepare
        # Guards all below but the call; told of every change.
        self._changed = threading.Condition()
        self._inbox = Inbox(failed)
        self._outgoing: Deque[Any] = collections.deque()
        self._reading = False  # some thread waits for the server
        self._over = False
        self._call = rpc(self._requests(), timeout=timeout, metadata=metadata)
        if not self._call.add_callback(self._end):
            self._end()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: Optional[Type[BaseException]],
                 error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        self.close()

    def close(self) -> None:
        """Cancels all requests; their handles get Cancelled."""
        with self._changed:
            self._inbox.fail(errors.Cancelled("the session is closed"))
        self._call.cancel()
        self._end()

    def open(self, input: Any,
             **given: Unpack[options.PredictOptions]) -> Handle:
        """Begins a request; arguments as of Client.predict.

        Raises ResourceExhausted when 1,024 requests are open. What the server refuses
        is raised by the handle.
        """
        prepared = self._prepare(input, given)
        request = prepared.request
        rows = request.input.shape[0] if prepared.batched else 1
        with self._changed:
            box = self._inbox.open(request.request_id, rows,
                                   latest=given.get("delivery") == "latest")
        self._send(_proto.PredictControl(request_id=box.request_id, open=request))
        return Handle(self, box, prepared.batched)

    def _requests(self) -> Iterator[Any]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._outgoing or self._over)
                if self._over:
                    return
                message = self._outgoing.popleft()
                self._changed.notify_all()
            yield message

    def _send(self, message: Any) -> None:
        """Once the session is over, its handles say so."""
        with self._changed:
            self._changed.wait_for(
                lambda: len(self._outgoing) < _MAX_OUTGOING or self._over)
            if not self._over:
                self._outgoing.append(message)
                self._changed.notify_all()

    def _end(self) -> None:
        with self._changed:
            self._over = True
            self._outgoing.clear()
            self._changed.notify_all()

    def _next(self, box: Box) -> Optional[types.Prediction]:
        """The next prediction of a request; None when it has ended.

        Of the threads that wait, one reads for all.
        """
        while True:
            with self._changed:
                while True:
                    found = box.take()
                    if found is not None or box.ended:
                        return found
                    if not self._reading:
                        break
                    self._changed.wait()
                self._reading = True
            try:
                self._read()
            finally:
                with self._changed:
                    self._reading = False
                    self._changed.notify_all()

    def _read(self) -> None:
        failure: Optional[errors.MreError] = None
        try:
            update = next(self._call)
        except StopIteration:
            failure = errors.Unavailable("the server ended the session")
        except grpc.RpcError as raised:
            failure = errors.from_rpc(raised)
        with self._changed:
            if failure is None:
                self._inbox.deliver(update)
            else:
                self._inbox.fail(failure)


class Handle(HandleBase):
    """One request of a session: an iterator of its predictions.

    Leaving a loop over it leaves the request running; iterate again to go on.
    """

    def __init__(self, session: Session, box: Box, batched: bool):
        super().__init__(box, batched)
        self._session = session

    def __iter__(self) -> Handle:
        return self

    def __next__(self) -> types.Prediction:
        found = self._session._next(self._box)
        self._note(found)
        if found is None:
            raise StopIteration
        return found

    def stop(self) -> None:
        """Ends the request: each row sends its best so far as final."""
        self._send(self._stop_message())

    def set_budget(self, **budget: Unpack[options.BudgetOptions]) -> None:
        """Replaces the whole budget: a limit that is left out is none. max_time still
        counts from the beginning of the request."""
        self._send(self._budget_message(budget))

    def result(self) -> Any:
        """Reads to the end: the final prediction, for a batch a list of one a row."""
        for _ in self:
            pass
        return self._answer()

    def _send(self, message: Any) -> None:
        if not self._box.ended:
            self._session._send(message)
