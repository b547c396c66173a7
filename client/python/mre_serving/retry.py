"""When a call is made again.

Only where nothing of the answer was seen and the server did not say no for good:

- RESOURCE_EXHAUSTED when the server said when to come back
  (`grpc-retry-pushback-ms`), and not before that;
- UNAVAILABLE (no connection, a lost one, a server that is shutting down) before the
  first message. Predictions change nothing on the server, so asking twice is safe.

Never after a message was received, and never on an interactive session.
"""
from __future__ import annotations

import dataclasses
import random
import time
from typing import Optional

from .errors import DeadlineExceeded, MreError, ResourceExhausted, Unavailable


@dataclasses.dataclass(frozen=True)
class RetryPolicy:
    """How often and for how long. All times in seconds.

    attempts: calls made at most, the first included; 1: no retry.
    max_time: no retry begins later than this after the client's method was called.
    initial_backoff, max_backoff: the wait after the first failure, doubled after each
        further one up to the last. A server's own wish replaces it when it is longer.
    jitter: each wait is this share longer at most, at random, so that many clients do
        not come back at once.
    """

    attempts: int = 6
    max_time: float = 30.0
    initial_backoff: float = 0.1
    max_backoff: float = 2.0
    jitter: float = 0.25

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError(f"attempts: expected 1 or more, got {self.attempts}")
        for name in ("max_time", "initial_backoff", "max_backoff", "jitter"):
            if not getattr(self, name) >= 0:
                raise ValueError(
                    f"{name}: expected 0 or more, got {getattr(self, name)}")


NO_RETRY = RetryPolicy(attempts=1)


class Attempts:
    """The attempts of one call; not thread-safe."""

    def __init__(self, policy: RetryPolicy, timeout: Optional[float]):
        self._policy = policy
        self._timeout = timeout
        self._start = time.monotonic()
        self._failed = 0

    def remaining(self) -> Optional[float]:
        """Seconds that the next attempt may take; None: no limit."""
        if self._timeout is None:
            return None
        left = self._timeout - (time.monotonic() - self._start)
        if left <= 0:
            raise DeadlineExceeded(f"the call's timeout of {self._timeout:g} s passed")
        return left

    def wait_after(self, error: MreError) -> float:
        """Seconds to wait before the next attempt; raises `error` if there is none."""
        policy = self._policy
        self._failed += 1
        if self._failed >= policy.attempts:
            raise error
        if isinstance(error, ResourceExhausted):
            if error.retry_after is None:
                raise error
        elif not isinstance(error, Unavailable):
            raise error
        doubled = min(self._failed - 1, 60)  # beyond it no float could hold
        wait = min(policy.initial_backoff * 2.0 ** doubled, policy.max_backoff)
        wait = max(wait, error.retry_after or 0.0)
        wait *= 1 + policy.jitter * random.random()
        begins = time.monotonic() - self._start + wait
        if begins > policy.max_time:
            raise error
        if self._timeout is not None and begins >= self._timeout:
            raise error
        return wait
