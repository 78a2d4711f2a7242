"""robots.txt according to RFC 9309."""

import time

from protego import Protego

from scraper.http.opt_out import disallowed_by_content_signal
from scraper.http.reason import Reason
from scraper.http.robots_text import read_robots
from scraper.http.transport import Response
from scraper.tables import ReasonKind

#: The user agent that robots.txt rules address us by.
PRODUCT = "gemscrape"

#: RFC 9309 2.4: a cached copy should not be used for longer than a day.
_FRESH_SECONDS = 86400.0


class Robots:
    """The rules of one host; `disallow_reason`: why everything is disallowed."""

    def __init__(self, rules: Protego | None = None, disallow_reason: Reason | None = None):
        self._expires = time.monotonic() + _FRESH_SECONDS
        self._rules, self._disallow_reason = rules, disallow_reason

    @classmethod
    def from_response(cls, response: Response, respect_content_signal: bool) -> "Robots":
        """2xx: the rules in the body. 4xx: no rules, everything is allowed. Otherwise nothing is."""
        if 200 <= response.status < 300:
            text = read_robots(response.body, PRODUCT)
            return cls(
                Protego.parse(text),
                disallowed_by_content_signal(text, PRODUCT) if respect_content_signal else None,
            )
        if 400 <= response.status < 500:
            return cls()
        return cls.unreachable(f"HTTP {response.status}")

    @classmethod
    def unreachable(cls, reason: str) -> "Robots":
        """No response with rules (5xx, no connection): for now, nothing is allowed."""
        text = f"robots.txt cannot be read: {reason}"
        return cls(disallow_reason=Reason(ReasonKind.ROBOTS_UNREADABLE, text))

    @property
    def unreadable(self) -> bool:
        """Whether the rules are unknown for now, so that nothing is allowed."""
        reason = self._disallow_reason
        return reason is not None and reason.kind == ReasonKind.ROBOTS_UNREADABLE

    @property
    def fresh(self) -> bool:
        """Whether the rules are recent enough to be used."""
        return time.monotonic() < self._expires

    @property
    def crawl_delay(self) -> float:
        """Seconds between requests that the host asks for, 0 if it asks for none."""
        delay = self._rules.crawl_delay(PRODUCT) if self._rules else None
        return float(delay or 0.0)

    def disallowed_by(self, url: str) -> Reason | None:
        """Why the URL must not be fetched; None if it may be."""
        if self._disallow_reason:
            return self._disallow_reason
        if self._rules is not None and not self._rules.can_fetch(url, PRODUCT):
            return Reason(ReasonKind.ROBOTS, "robots.txt")
        return None
