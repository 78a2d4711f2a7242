"""Which URLs a crawl requests again that failed, and when."""

import random

from scraper.http.errors import Postponed, TransientError
from scraper.http.reason import DOUBTFUL
from scraper.tables import ReasonKind

#: Every URL gets so many tries, whatever the others need.
_TRIES = 2

#: Full jitter of an exponential backoff, and the wait of a URL that is not to blame; seconds.
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS, _POSTPONED_SECONDS = 1.0, 60.0, 0.1


class RetryPolicy:
    """The tries of one crawl. A URL has `attempts` in all of its crawls together, then one in each.

    After its second try, a URL is requested again only while fewer than half as many requests failed as
    succeeded, so that broken URLs take little of a crawl's time; and only if it had no response, since what
    comes in place of an image twice is what the store has. A URL that asks for more than `longest_wait`
    seconds is left to the next crawl.
    """

    def __init__(self, attempts: int, longest_wait: float):
        self._attempts, self._longest_wait = attempts, longest_wait
        self._tries: dict[str, int] = {}
        self._served = self._failed = 0

    def is_first(self, url: str) -> bool:
        """Whether the URL was not requested yet."""
        return url not in self._tries

    def record_success(self) -> None:
        """A URL was served."""
        self._served += 1

    def postponed(self, url: str, error: Postponed) -> float:
        """Seconds until the URL is requested again, not counted as a try; its host may wait longer."""
        # Where nothing came in the time of a first try, another try takes long.
        self._tries.setdefault(url, int(error.reason.kind == ReasonKind.TIMEOUT))
        return max(_POSTPONED_SECONDS, error.retry_after or 0.0)

    def failed(self, url: str, error: TransientError, earlier: int) -> float | None:
        """Seconds until the URL is requested again; None if this crawl gives up.

        So many attempts failed in `earlier` crawls.
        """
        tries = self._tries[url] = self._tries.get(url, 0) + 1
        self._failed += 1
        if (error.retry_after or 0.0) > self._longest_wait or earlier + tries >= self._attempts:
            return None
        seldom_helps = error.reason.kind in DOUBTFUL or 2 * self._failed >= self._served
        if tries >= _TRIES and seldom_helps:
            return None
        longest = min(_FIRST_WAIT_SECONDS * 2 ** (tries - 1), _LONGEST_WAIT_SECONDS)
        return max(random.uniform(0, longest), error.retry_after or 0.0)
