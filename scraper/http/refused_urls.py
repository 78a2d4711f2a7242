"""URLs that a host refuses while it serves others: how often, until one of them is to blame itself."""

from dataclasses import dataclass

from scraper.http.reason import Reason


@dataclass(frozen=True)
class Refusals:
    """Those of one URL: the last reason, how many there were, and the host's `successes` until then."""

    reason: Reason
    count: int
    successes: int


class RefusedUrls:
    """The refused URLs of one host. Not thread-safe.

    `row`: so many URLs were refused for the first time since any URL was served.
    """

    def __init__(self) -> None:
        self._refusals: dict[str, Refusals] = {}
        self.row = 0

    def get(self, url: str) -> Refusals | None:
        """What is known of a URL."""
        return self._refusals.get(url)

    def add(self, url: str, reason: Reason, successes: int) -> int:
        """A URL is refused, after so many successes of its host: how often it was, with others between."""
        known = self._refusals.get(url)
        self.row += known is None
        count = 1 if known is None else known.count + (successes > known.successes)
        self._refusals[url] = Refusals(reason, count, successes)
        return count

    def pop(self, url: str) -> Refusals | None:
        """A URL is served: what was known of it, which is forgotten."""
        self.row = 0
        return self._refusals.pop(url, None)
