"""How long an answer may take."""

import time

from scraper.http.failures import timeout


class Deadline:
    """A whole answer may take `seconds`."""

    def __init__(self, seconds: float):
        self._end = time.monotonic() + seconds

    def wait(self) -> float:
        """Seconds that the next wait may take. Raises TransientError if none are left."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise timeout()
        return left
