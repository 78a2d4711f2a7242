"""Send one request to a host at its pace, and follow where it leads within the host."""

import time
from collections.abc import Mapping
from dataclasses import replace

from scraper.http.answer import Answer
from scraper.http.errors import TransientError
from scraper.http.failures import TIMEOUT
from scraper.http.rate_limiter import HostRateLimiter
from scraper.http.redirects import MAX_REDIRECTS, is_redirect, target
from scraper.http.robots import Robots
from scraper.http.transport import Response, Transport
from scraper.http.urls import host_of


class Sender:
    """Sends requests to the host of a limiter, from any number of threads."""

    def __init__(self, limiter: HostRateLimiter):
        self._limiter = limiter

    def send(
        self,
        url: str,
        transport: Transport,
        headers: Mapping[str, str],
        timeout: float,
        rules: Robots | None,
        alone: int = 0,
    ) -> Answer:
        """The answer after redirects within the host, as far as its `rules` allow: a limiter may use them.

        `alone` is the factor on the pause before a request that is sent alone. Raises FetchError, TooLarge,
        Blocked and Stopped.
        """
        seconds = 0.0
        for redirects in range(MAX_REDIRECTS + 1):
            with self._limiter.acquire_alone(alone) if alone else self._limiter.acquire() as started:
                try:
                    response = transport.get(url, headers, timeout - seconds)
                except TransientError as error:
                    return Answer(started, error=error)
                seconds += time.monotonic() - started
            answer = Answer(started, replace(response, seconds=seconds, redirects=redirects))
            following = self._within_host(response, rules)
            if following is None:
                break
            if seconds >= timeout:
                return Answer(started, error=TransientError(TIMEOUT))
            url, alone = following, 0
        return answer

    def _within_host(self, response: Response, rules: Robots | None) -> str | None:
        """Where a redirect leads that stays on this host; None for any other response."""
        url = target(response) if is_redirect(response) else None
        if not url or host_of(url) != self._limiter.host:
            return None
        return url if rules is None or rules.disallowed_by(url) is None else None
