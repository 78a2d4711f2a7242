"""How long a `Retry-After` header asks to wait, also in forms that the standard does not know.

Servers send fractions (`5.0`), durations (`30s`, `1m30s`, `370ms`), times as seconds since 1970, and lists
where a proxy repeats the header (`30, 120`).
"""

import math
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

#: The longest wait that is told apart from any longer one, seconds.
LONGEST_SECONDS = 10 * 365 * 86400.0

#: A number from here on is a time in seconds since 1970 (2001 or later), and from there on in milliseconds.
_EPOCH_SECONDS, _EPOCH_MILLISECONDS = 1e9, 1e12

_NUMBER = re.compile(r"\+?[0-9]{1,20}(?:\.[0-9]{0,20})?|\.[0-9]{1,20}")
_DURATION = re.compile(r"p?t?([0-9]{1,12}(?:\.[0-9]{1,12})?)\s?(ms|[smhd])[a-z]{0,7}\s?", re.IGNORECASE)
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Seconds to wait by a `Retry-After` header (RFC 9110 10.2.3), rounded up; of several, the longest.

    None if the header is missing or unreadable, zero, or a date in the past: these ask for no wait.
    """
    waits = list(_waits(value or "", now or datetime.now(UTC)))
    seconds = min(max(waits, default=0.0), LONGEST_SECONDS)
    return float(math.ceil(seconds)) if seconds > 0 else None


def _waits(value: str, now: datetime) -> Iterator[float]:
    # A date's weekday ends in a comma, too; it is optional.
    for part in value[:1000].split(","):
        text = part.strip(" \t\"'")
        if _NUMBER.fullmatch(text):
            yield _seconds(float(text), now)
        elif (wait := _duration(text)) is not None:
            yield wait
        elif date := _date(text):
            yield (date - now).total_seconds()


def _seconds(number: float, now: datetime) -> float:
    if number < _EPOCH_SECONDS:
        return number
    return number / (1000 if number >= _EPOCH_MILLISECONDS else 1) - now.timestamp()


def _duration(text: str) -> float | None:
    seconds, end = 0.0, 0
    while match := _DURATION.match(text, end):
        seconds, end = seconds + float(match[1]) * _UNITS[match[2].lower()], match.end()
    return seconds if end and end == len(text) else None


def _date(text: str) -> datetime | None:
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            date = parse(text)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
        return date if date.tzinfo else date.replace(tzinfo=UTC)
    return None
