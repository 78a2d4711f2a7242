"""Notice that the computer, or this process, slept: connections die meanwhile, which is nobody's fault."""

import threading
import time

#: How often the watch looks at the clock, and how late it must be to have slept; seconds.
_TICK_SECONDS, _ASLEEP_SECONDS = 0.5, 5.0


class SleepWatch:
    """Watches from a thread of its own until `stop` is set."""

    def __init__(self, stop: threading.Event):
        self._stop = stop
        # A suspended computer stops the monotonic clock, but not the wall clock.
        self._ticked, self._woke = time.time(), float("-inf")
        threading.Thread(target=self._watch, daemon=True).start()

    def slept_since(self, started: float) -> bool:
        """Whether there was a sleep after `started` (`time.monotonic`)."""
        self._look()
        return self._woke >= started

    def _watch(self) -> None:
        while not self._stop.wait(_TICK_SECONDS):
            self._look()
            self._ticked = time.time()

    def _look(self) -> None:
        if time.time() - self._ticked > _ASLEEP_SECONDS:
            self._woke = time.monotonic()
