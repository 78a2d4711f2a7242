"""robots.txt as RFC 9309 says."""

import time

from protego import Protego

from scraper.http.opt_out import content_signal_objection
from scraper.http.transport import Answer

#: The name that robots.txt rules address us by.
PRODUCT = "gemscrape"

#: RFC 9309 2.4: a copy should not be used for longer than a day.
_FRESH_SECONDS = 86400.0

#: RFC 9309 2.5: at least 500 kibibytes are parsed.
_PARSED_BYTES = 512_000


class Robots:
    """The rules of one host; `trouble` says why nothing at all is allowed, `unreadable`: for now."""

    def __init__(self, rules: Protego | None = None, trouble: str | None = None, unreadable: bool = False):
        self.unreadable = unreadable
        self._expires = time.monotonic() + _FRESH_SECONDS
        self._rules, self._trouble = rules, trouble

    @classmethod
    def of(cls, answer: Answer, heed_content_signal: bool) -> "Robots":
        """2xx: the rules in the body. 4xx: no rules, all is allowed. Else nothing is."""
        if answer.status == 200:
            text = answer.body[:_PARSED_BYTES].decode("utf-8-sig", "ignore")
            return cls(
                Protego.parse(text), content_signal_objection(text, PRODUCT) if heed_content_signal else None
            )
        if 400 <= answer.status < 500:
            return cls()
        return cls.unreachable(f"HTTP {answer.status}")

    @classmethod
    def unreachable(cls, reason: str) -> "Robots":
        """No answer that says what is allowed (5xx, no connection): nothing is, for now."""
        return cls(trouble=f"robots.txt cannot be read: {reason}", unreadable=True)

    @property
    def fresh(self) -> bool:
        """Whether the rules are young enough to be used."""
        return time.monotonic() < self._expires

    @property
    def crawl_delay(self) -> float:
        """Seconds between requests that the host asks for, 0 for none."""
        delay = self._rules.crawl_delay(PRODUCT) if self._rules else None
        return float(delay or 0.0)

    def objection(self, url: str) -> str | None:
        """Why the URL must not be fetched; None when it may."""
        if self._trouble:
            return self._trouble
        if self._rules is not None and not self._rules.can_fetch(url, PRODUCT):
            return "robots.txt"
        return None
