"""The forms in which servers say when to come back."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.http.retry_after import LONGEST_SECONDS, parse_retry_after

NOW = datetime(2024, 5, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120), (" 7 ", 7), ("120 ", 120), ("+5", 5), ("0", None), ("", None), (None, None),
        ("5.0", 5), ("1.5", 2), ("0.503", 1), (".5", 1), ("0.0", None), ("5.", 5), ('"30"', 30),
        ("-5", None), ("-1.5", None), ("soon", None),
        ("nan", None), ("inf", None), ("1e9", None), ("٣", None),
        ("30s", 30), ("30 seconds", 30), ("1m30s", 90), ("1m0s", 60), ("2m59.56s", 180), ("370ms", 1),
        ("1h", 3600), ("2 minutes", 120), ("PT5S", 5), ("PT1M30S", 90), ("P1DT1H", 90_000), ("5x", None),
        ("7, 7", 7), ("30,120", 120), ("5, soon", 5), (",", None),
        ("1714564860", 60), ("1714564860000", 60), ("1714564740", None),
        ("Wed, 01 May 2024 12:01:00 GMT", 60),
        ("Wednesday, 01-May-24 12:01:00 GMT", 60),
        ("Wed, 01 May 2024 11:59:00 GMT", None), ("Wed May  1 12:00:30 2024", 30),
        ("Wed, 01 May 2024 12:01:00 -0000", 60), ("Wed, 01 May 2024 14:01:00 +0200", 60),
        ("Wed, 01 May 2024 12:01:00 GMT, Wed, 01 May 2024 12:02:00 GMT", 120),
        ("30, Wed, 01 May 2024 12:02:00 GMT", 120),
        ("2024-05-01T12:01:00Z", 60), ("2024-05-01T14:01:00.5+02:00", 61), ("2024-05-01 12:01:00", 60),
        ("9" * 400, None), ("9" * 20, LONGEST_SECONDS), ("Wed, 99 May 2024 12:00:00 GMT", None),
    ],
)  # fmt: skip
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, NOW) == seconds


@given(st.integers(1, 10**6))
def test_seconds_and_dates_agree(seconds: int) -> None:
    at = NOW + timedelta(seconds=seconds)
    forms = [str(seconds), f"{seconds}.0", f"{seconds}s", format_datetime(at, usegmt=True), at.isoformat()]
    assert {parse_retry_after(form, NOW) for form in forms} == {seconds}


@given(st.decimals(0, 10**6, places=3))
def test_nobody_comes_back_early(seconds: float) -> None:
    waited = parse_retry_after(str(seconds), NOW) or 0.0
    assert seconds <= waited < seconds + 1


@given(st.one_of(st.text(max_size=60), st.text("0123456789.,:;+-TPZshmdGMT ", max_size=60)))
def test_any_value_is_parsed_or_ignored(value: str) -> None:
    seconds = parse_retry_after(value, NOW)
    assert seconds is None or (0 < seconds <= LONGEST_SECONDS and seconds == int(seconds))
