"""The demo store's rate limit: a token bucket for each client and host, then a temporary block."""

import threading
import time
from collections import deque
from dataclasses import dataclass, field
from enum import Enum


class Verdict(Enum):
    """The decision on a request, with its HTTP status."""

    SERVE = 200
    TOO_FAST = 429
    BLOCKED = 403


@dataclass(frozen=True)
class RateLimit:
    """`rate` requests per second and client on each host, up to `burst` at once.

    After `max_rejections` rejections within ten seconds the client is blocked for `block_seconds`.
    """

    rate: float = 60.0
    burst: int = 10
    max_rejections: int = 100
    block_seconds: float = 20.0


@dataclass
class _Client:
    tokens: float
    at: float
    rejections: deque[float] = field(default_factory=deque)
    blocked_until: float = 0.0


class RateLimiter:
    """Decides on each request; thread-safe."""

    def __init__(self, limit: RateLimit):
        self.limit = limit
        self._clients: dict[tuple[str, str], _Client] = {}
        self._lock = threading.Lock()

    def check(self, client: str, host: str) -> tuple[Verdict, float]:
        """The verdict on a request made now, and the seconds until the next one is allowed."""
        now, limit = time.monotonic(), self.limit
        with self._lock:
            state = self._clients.setdefault((client, host), _Client(limit.burst, now))
            if now < state.blocked_until:
                return Verdict.BLOCKED, state.blocked_until - now
            state.tokens = min(limit.burst, state.tokens + (now - state.at) * limit.rate)
            state.at = now
            if state.tokens >= 1:
                state.tokens -= 1
                return Verdict.SERVE, 0.0
            state.rejections.append(now)
            while state.rejections[0] < now - 10:
                state.rejections.popleft()
            if len(state.rejections) > limit.max_rejections:
                state.rejections.clear()
                state.blocked_until = now + limit.block_seconds
                return Verdict.BLOCKED, limit.block_seconds
            return Verdict.TOO_FAST, (1 - state.tokens) / limit.rate
