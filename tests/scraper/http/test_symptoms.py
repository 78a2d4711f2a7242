"""What a host's refusals turn out to mean."""

import pytest

from scraper.http.reason import Reason
from scraper.http.symptoms import Symptoms
from scraper.tables import ReasonKind

RESET = Reason(ReasonKind.CONNECTION_CUT, "connection cut off")
SHEDDING = [503, 509, 529]


def answer(symptoms: Symptoms, served: int, refused: int, reason: Reason) -> None:
    """So many URLs are served at once, then so many when they are asked for again."""
    for _ in range(served):
        symptoms.record_answer(None)
    for _ in range(refused):
        symptoms.record_answer(reason)
        symptoms.record_served_again(reason)


@pytest.mark.parametrize("status", [420, 429, 430])
def test_some_statuses_say_too_many_requests(status: int) -> None:
    assert Symptoms().means_overload(Reason.of_status(status), 5.0)


@pytest.mark.parametrize("status", SHEDDING)
def test_a_status_that_sheds_load_does_so_by_a_small_share(status: int) -> None:
    symptoms, reason = Symptoms(), Reason.of_status(status)
    for _ in range(5):
        assert not symptoms.means_overload(reason, 5.0)
        answer(symptoms, 18, 1, reason)
    assert symptoms.means_overload(reason, 5.0)
    answer(symptoms, 100, 0, reason)
    assert not symptoms.means_overload(reason, 5.0), "it is forgotten once the host serves all again"


@pytest.mark.parametrize("status", SHEDDING)
def test_one_in_a_hundred_is_bad_luck(status: int) -> None:
    symptoms, reason = Symptoms(), Reason.of_status(status)
    for _ in range(20):
        answer(symptoms, 99, 1, reason)
        assert not symptoms.means_overload(reason, 5.0) and not symptoms.is_frequent(reason)


@pytest.mark.parametrize("status", SHEDDING)
def test_a_limiter_that_refused_every_fifth_is_one_for_good(status: int) -> None:
    symptoms, reason = Symptoms(), Reason.of_status(status)
    for _ in range(4):
        answer(symptoms, 4, 1, reason)
    answer(symptoms, 500, 0, reason)
    assert symptoms.means_overload(reason, 5.0)
    assert not symptoms.means_overload(Reason.of_status(500), 5.0)


@pytest.mark.parametrize("reason", [Reason.of_status(500), Reason.of_status(403), RESET])
def test_any_other_symptom_does_so_by_a_large_share(reason: Reason) -> None:
    rare, frequent = Symptoms(), Symptoms()
    for _ in range(10):
        answer(rare, 19, 1, reason)
        answer(frequent, 1, 1, reason)
    assert not rare.means_overload(reason, 5.0) and frequent.means_overload(reason, 5.0)
    answer(frequent, 20, 0, reason)
    assert not frequent.means_overload(reason, 5.0), "it is forgotten once the host serves all again"


def test_a_host_that_fails_at_random_is_not_slowed_down_for_ever() -> None:
    symptoms = Symptoms()
    answer(symptoms, 0, 20, RESET)
    assert symptoms.means_overload(RESET, 8.0) and symptoms.means_overload(RESET, 3.0)
    assert not symptoms.means_overload(RESET, 2.0), "slowing down did not help"


@pytest.mark.parametrize(("served", "troubled", "frequent"), [(17, 2, False), (17, 3, True), (200, 2, False)])
def test_trouble_is_frequent_by_its_share(served: int, troubled: int, frequent: bool) -> None:
    symptoms = Symptoms()
    answer(symptoms, served, troubled, RESET)
    assert symptoms.is_frequent(RESET) == frequent
    assert not symptoms.is_frequent(Reason.of_status(500))


def test_broken_urls_are_not_asked_again_at_once_for_ever() -> None:
    symptoms, broken, other = Symptoms(), Reason.of_status(500), Reason.of_status(503)
    for _ in range(3):
        assert symptoms.next_asks_again(broken)
        symptoms.record_in_vain(broken)
    assert not any(symptoms.next_asks_again(broken) for _ in range(50)) and symptoms.next_asks_again(other)
    symptoms.record_served_again(broken)
    assert symptoms.next_asks_again(broken)


@pytest.mark.parametrize("status", [429, 503])
def test_where_servers_shed_load_so_one_of_several_is_still_asked_again(status: int) -> None:
    symptoms, reason = Symptoms(), Reason.of_status(status)
    for _ in range(3):
        symptoms.record_in_vain(reason)
    asked = [symptoms.next_asks_again(reason) for _ in range(40)]
    assert 2 <= sum(asked) <= 8 and not asked[0]


@pytest.mark.parametrize("reason", [Reason.of_status(429), Reason.of_status(503), RESET])
def test_each_pause_before_asking_again_in_vain_is_longer(reason: Reason) -> None:
    symptoms, pauses = Symptoms(), []
    for _ in range(3):
        pauses.append(symptoms.patience(reason))
        symptoms.record_in_vain(reason)
    assert pauses[0] == 1 < pauses[1] < pauses[2]


def test_what_takes_long_is_not_asked_again_at_once() -> None:
    assert not Symptoms().next_asks_again(Reason(ReasonKind.TIMEOUT, "timeout"))
