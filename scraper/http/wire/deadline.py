"""How long an answer may take."""

import time

from scraper.http.failures import timeout


class Deadline:
    """A whole answer may take `seconds`, and each wait for some of it `patience` seconds."""

    def __init__(self, seconds: float, patience: float | None = None):
        self._end = time.monotonic() + seconds
        self._patience = seconds if patience is None else patience

    def wait(self) -> float:
        """Seconds that the next wait may take. Raises TransientError if none are left."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise timeout()
        return min(left, self._patience)
