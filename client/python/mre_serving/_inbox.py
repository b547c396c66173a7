"""Sorts the updates of an interactive session by request. Not thread-safe."""
from __future__ import annotations

from typing import Any, Callable, Dict, Optional

from . import errors, types

# The server's limit on requests open on one stream. Within it the server reads on
# whatever this client does, so that opening a request never waits for ever.
MAX_OPEN = 1024


class Box:
    """What one request has been sent and nobody has taken yet.

    Bounded: one prediction a row where newer ones replace older ones, otherwise no
    more than the model has steps.
    """

    def __init__(self, request_id: str, rows: int, latest: bool):
        self.request_id = request_id
        self.error: Optional[errors.MreError] = None
        self._running = rows
        self._latest = latest
        self._ready: Dict[int, types.Prediction] = {}
        self._next_key = 0

    @property
    def ended(self) -> bool:
        """Nothing more will come."""
        return self._running == 0 or self.error is not None

    def put(self, prediction: types.Prediction) -> None:
        if self._latest:
            key = prediction.row
        else:
            key = self._next_key
            self._next_key += 1
        self._ready[key] = prediction
        if prediction.final:
            self._running -= 1

    def take(self) -> Optional[types.Prediction]:
        """The oldest; None when there is none; raises once a failure is all there is.
        """
        for key in self._ready:
            return self._ready.pop(key)
        if self.error is not None:
            error = self.error
            raise errors.make(error.code, error.message, error.retry_after)
        return None


class Inbox:
    """The requests that are open. `failed` is told of each that the server ends with
    an error, and gives the error that its handle raises."""

    def __init__(self, failed: Callable[[errors.MreError], errors.MreError]) -> None:
        self._failed = failed
        self._open: Dict[str, Box] = {}
        self._opened = 0
        self._failure: Optional[errors.MreError] = None

    def open(self, request_id: str, rows: int, latest: bool) -> Box:
        if self._failure is not None:
            failure = self._failure
            raise errors.make(failure.code, failure.message, failure.retry_after)
        if len(self._open) >= MAX_OPEN:
            raise errors.ResourceExhausted(
                f"the session has {MAX_OPEN} requests open, its limit: read some of "
                "them to their end first")
        while not request_id:
            self._opened += 1
            if str(self._opened) not in self._open:
                request_id = str(self._opened)
        if request_id in self._open:
            raise errors.InvalidArgument(
                f'request_id: "{request_id}" is still open on this session')
        box = Box(request_id, rows, latest)
        self._open[request_id] = box
        return box

    def deliver(self, update: Any) -> None:
        """Takes a mre.v1.PredictUpdate."""
        box = self._open.get(update.request_id)
        if box is None:
            return
        for prediction in types.predictions(update):
            box.put(prediction)
        if update.HasField("error"):
            box.error = self._failed(errors.from_message(update.error))
        if box.ended:
            del self._open[update.request_id]

    def fail(self, error: errors.MreError) -> None:
        """Nothing more comes, for any request."""
        if self._failure is None:
            self._failure = error
        for box in self._open.values():
            box.error = self._failure
        self._open = {}
