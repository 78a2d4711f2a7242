"""How the demo store defends itself: a token bucket for each client and host, then a temporary block."""

import threading
import time
from collections import deque
from dataclasses import dataclass, field
from enum import Enum


class Verdict(Enum):
    """What becomes of a request."""

    SERVE = 200
    TOO_FAST = 429
    BLOCKED = 403


@dataclass(frozen=True)
class Limits:
    """`rate` requests a second and client on each host, `burst` at once; after `patience` refusals within ten
    seconds the client is blocked for `block_seconds`."""

    rate: float = 60.0
    burst: int = 10
    patience: int = 100
    block_seconds: float = 20.0


@dataclass
class _Client:
    tokens: float
    at: float
    refusals: deque[float] = field(default_factory=deque)
    blocked_until: float = 0.0


class Doorkeeper:
    """Decides over each request; safe to ask from many threads."""

    def __init__(self, limits: Limits):
        self.limits = limits
        self._clients: dict[tuple[str, str], _Client] = {}
        self._lock = threading.Lock()

    def ask(self, client: str, host: str) -> tuple[Verdict, float]:
        """The verdict on a request that comes now, and after how many seconds the next one is welcome."""
        now, limits = time.monotonic(), self.limits
        with self._lock:
            state = self._clients.setdefault((client, host), _Client(limits.burst, now))
            if now < state.blocked_until:
                return Verdict.BLOCKED, state.blocked_until - now
            state.tokens = min(limits.burst, state.tokens + (now - state.at) * limits.rate)
            state.at = now
            if state.tokens >= 1:
                state.tokens -= 1
                return Verdict.SERVE, 0.0
            state.refusals.append(now)
            while state.refusals[0] < now - 10:
                state.refusals.popleft()
            if len(state.refusals) > limits.patience:
                state.refusals.clear()
                state.blocked_until = now + limits.block_seconds
                return Verdict.BLOCKED, limits.block_seconds
            return Verdict.TOO_FAST, (1 - state.tokens) / limits.rate
