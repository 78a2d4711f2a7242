"""Repeat what failed only this time: exponential backoff with full jitter, or as long as the host asks."""

import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from scraper.http.errors import Stopped, TransientError

_FULL_JITTER = wait_random_exponential(multiplier=0.5, max=60)

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


class Retries:
    """Calls a function up to `attempts` times, from any number of threads; `waiting` of them wait to retry.

    A TransientError that asks for more than `longest_wait` seconds is not waited for.
    """

    def __init__(self, attempts: int, longest_wait: float, stop: threading.Event):
        self._longest_wait, self._stop = longest_wait, stop
        self._lock = threading.Lock()
        self.waiting = 0
        self._retrying = Retrying(
            retry=retry_if_exception(self._is_retryable),
            stop=stop_after_attempt(attempts),
            wait=_wait,
            sleep=self._sleep,
            reraise=True,
        )

    def call(
        self,
        function: Callable[_Arguments, _Result],
        *arguments: _Arguments.args,
        **options: _Arguments.kwargs,
    ) -> _Result:
        """The function's result. Raises its last TransientError, any other exception at once, and Stopped."""
        return self._retrying(function, *arguments, **options)

    def _is_retryable(self, error: BaseException) -> bool:
        return isinstance(error, TransientError) and (error.retry_after or 0.0) <= self._longest_wait

    def _sleep(self, seconds: float) -> None:
        with self._lock:
            self.waiting += 1
        try:
            if self._stop.wait(seconds):
                raise Stopped
        finally:
            with self._lock:
                self.waiting -= 1


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, TransientError) else None
    return max(_FULL_JITTER(state), asked or 0.0)
