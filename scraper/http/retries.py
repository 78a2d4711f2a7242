"""Repeat at once what failed: exponential backoff with full jitter, or as long as the host asks."""

import threading
from collections.abc import Callable
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from scraper.http.errors import Postponed, Stopped, TransientError

_FULL_JITTER = wait_random_exponential(multiplier=0.5, max=60)

_Result = TypeVar("_Result")


def retry(
    function: Callable[[], _Result], attempts: int, longest_wait: float, stop: threading.Event
) -> _Result:
    """The function's result, after up to `attempts` calls.

    An error that asks for more than `longest_wait` seconds is not waited for. Raises the last TransientError
    or Postponed, any other exception at once, and Stopped.
    """

    def is_retryable(error: BaseException) -> bool:
        return isinstance(error, TransientError | Postponed) and _asked(error) <= longest_wait

    def sleep(seconds: float) -> None:
        if stop.wait(seconds):
            raise Stopped

    retrying = Retrying(
        retry=retry_if_exception(is_retryable),
        stop=stop_after_attempt(attempts),
        wait=_wait,
        sleep=sleep,
        reraise=True,
    )
    return retrying(function)


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    return max(_FULL_JITTER(state), _asked(error))


def _asked(error: BaseException | None) -> float:
    """Seconds for which a URL asks us to wait."""
    return (error.retry_after or 0.0) if isinstance(error, TransientError | Postponed) else 0.0
