"""Numbers and shares are formatted for people."""

from hypothesis import given
from hypothesis import strategies as st

from gemkit.html import number, percent


@given(st.integers(0, 10**9), st.integers(1, 10**9))
def test_shares_are_never_rounded_to_0_or_100_percent(part: int, whole: int) -> None:
    part = min(part, whole)
    words = percent(part, whole)
    assert (words == "0\N{NO-BREAK SPACE}%") == (part == 0)
    assert (words == "100\N{NO-BREAK SPACE}%") == (part == whole)


def test_numbers_have_separators_or_three_digits() -> None:
    assert [number(n) for n in (1234567, 0.0812345, 60.0, float("nan"), None)] == [
        "1,234,567", "0.0812", "60", "–", "–",
    ]  # fmt: skip
