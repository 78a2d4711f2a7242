"""How long a host takes to answer, and whether that grows."""

import pytest

from scraper.http.answer_times import AnswerTimes, SlowdownTest


def test_the_typical_time_is_the_median_of_the_last_answers() -> None:
    times = AnswerTimes()
    for seconds in (0.1, 0.2, 9.0, 0.3):
        times.add(seconds)
    assert times.typical is None
    times.add(0.4)
    assert times.typical == 0.3
    for _ in range(100):
        times.add(2.0)
    assert times.typical == 2.0


def slowed(first: list[float], later: list[float]) -> bool:
    test = SlowdownTest()
    for seconds in [*first, *later]:
        test.add(seconds)
        if test.slowed:
            return True
    return False


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        ([0.16] * 40, True),
        ([0.14] * 400, False),
        ([0.16] * 20 + [0.1] * 40, False),  # slow for a moment
        ([0.1, 0.5, 0.1] * 40, False),
        ([0.1, 0.5, 0.5] * 40, True),
    ],
)
def test_half_as_long_again_is_slow(later: list[float], expected: bool) -> None:
    assert slowed([0.1] * 9 + [5.0], later) is expected
