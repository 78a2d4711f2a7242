"""A client that keeps to a pace against limiters of several kinds, in simulated time: hours in a moment."""

import heapq
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from scraper.http.pace import Pace
from scraper.http.request_rate import RequestRate

#: Decides on a request that arrives at a time, in seconds.
Limiter = Callable[[float], bool]


class LeakyBucket:
    """nginx's limit_req with nodelay (ngx_http_limit_req_lookup), in thousandths of requests and seconds."""

    def __init__(self, rate: float, burst: int):
        self.rate, self.burst, self.excess = int(rate * 1000), burst * 1000, 0
        self.last: int | None = None

    def __call__(self, now: float) -> bool:
        ms = int(now * 1000)
        if self.last is None:
            self.last = ms
            return True
        excess = max(self.excess - self.rate * (ms - self.last) // 1000 + 1000, 0)
        if excess > self.burst:
            return False
        self.excess, self.last = excess, ms
        return True


class TokenBucket:
    """`rate` tokens a second, at most `burst` at once."""

    def __init__(self, rate: float, burst: float):
        self.rate, self.burst, self.tokens, self.at = rate, burst, burst, 0.0

    def __call__(self, now: float) -> bool:
        self.tokens = min(self.burst, self.tokens + self.rate * (now - self.at))
        self.at = now
        allowed = self.tokens >= 1
        self.tokens -= allowed
        return allowed


class Window:
    """So many requests in each period of some seconds."""

    def __init__(self, rate: float, seconds: float):
        self.most, self.seconds, self.window, self.count = rate * seconds, seconds, -1, 0

    def __call__(self, now: float) -> bool:
        if int(now / self.seconds) != self.window:
            self.window, self.count = int(now / self.seconds), 0
        self.count += 1
        return self.count <= self.most


class SlidingWindow:
    """So many requests in the last seconds."""

    def __init__(self, rate: float, seconds: float):
        self.seconds = seconds
        self.served: deque[float] = deque([float("-inf")] * int(rate * seconds))

    def __call__(self, now: float) -> bool:
        if self.served[0] > now - self.seconds:
            return False
        self.served.popleft()
        self.served.append(now)
        return True


@dataclass
class Log:
    """When requests were served and refused, and the most refusals in a row."""

    served: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    longest_row: int = 0

    def held(self, start: float, end: float) -> float:
        """Requests served a second."""
        return sum(start <= at < end for at in self.served) / (end - start)

    def refused_share(self, start: float, end: float) -> float:
        """Share of the requests that were refused."""
        refused, served = (sum(start <= at < end for at in times) for times in (self.refused, self.served))
        return refused / max(1, refused + served)


@dataclass
class Network:
    """Means in seconds: `latency` of an answer, `jitter` of the way there, `wake` of the client's threads.

    `stall`: the share of requests that come 5 to 30 ms late.
    """

    latency: float = 0.02
    jitter: float = 0.001
    wake: float = 0.001
    concurrency: int = 4
    stall: float = 0.0


def crawl(
    rate: RequestRate,
    limiter: Limiter,
    seconds: float,
    network: Network | None = None,
    seed: int = 1,
    base: float = 0.5,
    retry_after: float = 0.0,
) -> Log:
    """Send requests for so long. A refusal asks for `retry_after`; the first wait is up to `base` seconds."""
    network, noise, log = network or Network(), random.Random(seed), Log()
    pace = Pace(rate, 0.0)
    random.seed(seed)
    answers: list[tuple[float, float, bool]] = []
    now = 0.0
    while now < seconds:
        send = max(now, pace.ready) + noise.expovariate(1 / network.wake)
        if answers and (len(answers) == network.concurrency or answers[0][0] <= send):
            now, started, served = heapq.heappop(answers)
            if served:
                pace.succeeded(now, now - started)
            else:
                pace.refused(now, started, base)
                pace.pause(now + retry_after)
                log.longest_row = max(log.longest_row, pace.refusals)
            continue
        now = send
        pace.sent(now)
        stalled = noise.uniform(0.005, 0.03) if noise.random() < network.stall else 0.0
        arrival = now + network.latency / 2 + noise.expovariate(1 / network.jitter) + stalled
        served = limiter(arrival)
        (log.served if served else log.refused).append(now)
        heapq.heappush(answers, (arrival + network.latency / 2, now, served))
    return log
