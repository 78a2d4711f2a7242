"""How long a host takes to answer, and whether it takes longer because we ask faster."""

from collections import deque
from statistics import median

#: Answers whose median is typical, and the fewest that have one.
_TYPICAL, _FEWEST = 51, 5

#: Answers at the start of a climb, and those that are compared with them.
_FIRST, _LAST = 10, 15

#: The host has slowed down when its median answer takes this much longer: a factor, and seconds.
_SLOWER, _SLOWER_SECONDS = 1.5, 0.01


class AnswerTimes:
    """The times of a host's last answers, in seconds."""

    def __init__(self) -> None:
        self._last: deque[float] = deque(maxlen=_TYPICAL)

    def add(self, seconds: float) -> None:
        """An answer took that long."""
        self._last.append(seconds)

    @property
    def typical(self) -> float | None:
        """The median of the last answers; None before there are five."""
        last = list(self._last)
        return median(last) if len(last) >= _FEWEST else None


class SlowdownTest:
    """Compares the answers during a climb with those at its start.

    Single slow answers, and a quick first one, are noise: the median of fifteen must be exceeded, and again
    by the next fifteen, during which the rate must not climb (`doubtful`).
    """

    def __init__(self) -> None:
        self._first: list[float] = []
        self._last: deque[float] = deque(maxlen=_LAST)
        self.doubtful = False
        self.slowed = False

    def add(self, seconds: float) -> None:
        """An answer to a request during the climb took that long."""
        if len(self._first) < _FIRST:
            self._first.append(seconds)
            return
        self._last.append(seconds)
        if len(self._last) < _LAST:
            return
        first, last = median(self._first), median(self._last)
        slow = last >= max(first * _SLOWER, first + _SLOWER_SECONDS)
        self.slowed = slow and self.doubtful
        if slow or self.doubtful:
            self._last.clear()
        self.doubtful = slow
