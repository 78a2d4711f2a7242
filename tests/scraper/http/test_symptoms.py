"""What a host's refusals turn out to mean."""

import pytest

from scraper.http.reason import Reason
from scraper.http.symptoms import Symptoms
from scraper.tables import ReasonKind

RESET = Reason(ReasonKind.CONNECTION_CUT, "connection cut off")


@pytest.mark.parametrize("status", [420, 429, 430])
def test_some_statuses_say_too_many_requests(status: int) -> None:
    assert Symptoms().means_overload(Reason.of_status(status), 5.0)


@pytest.mark.parametrize("status", [503, 509, 529])
def test_a_status_that_sheds_load_does_so_once_a_url_was_served_the_second_time(status: int) -> None:
    symptoms, reason = Symptoms(), Reason.of_status(status)
    assert not symptoms.means_overload(reason, 5.0)
    symptoms.record_asked_again(reason, served=False)
    assert not symptoms.means_overload(reason, 5.0)
    symptoms.record_asked_again(reason, served=True)
    assert symptoms.means_overload(reason, 5.0)


@pytest.mark.parametrize("reason", [Reason.of_status(500), Reason.of_status(403), RESET])
def test_any_other_symptom_does_so_by_its_share(reason: Reason) -> None:
    rare, frequent = Symptoms(), Symptoms()
    for _ in range(10):
        for symptoms, successes in ((rare, 19), (frequent, 1)):
            symptoms.record_asked_again(reason, served=True)
            for _ in range(successes):
                symptoms.record_success()
    assert not rare.means_overload(reason, 5.0) and frequent.means_overload(reason, 5.0)
    for _ in range(20):
        frequent.record_success()
    assert not frequent.means_overload(reason, 5.0), "it is forgotten once the host serves all again"


def test_broken_urls_are_not_asked_again_at_once_for_ever() -> None:
    symptoms, broken, other = Symptoms(), Reason.of_status(500), Reason.of_status(503)
    for _ in range(3):
        assert symptoms.next_asks_again(broken)
        symptoms.record_asked_again(broken, served=False)
    assert not any(symptoms.next_asks_again(broken) for _ in range(50)) and symptoms.next_asks_again(other)
    symptoms.record_asked_again(broken, served=True)
    assert symptoms.next_asks_again(broken)


@pytest.mark.parametrize("status", [429, 503])
def test_where_servers_shed_load_so_one_of_several_is_still_asked_again(status: int) -> None:
    symptoms, reason = Symptoms(), Reason.of_status(status)
    for _ in range(3):
        symptoms.record_asked_again(reason, served=False)
    asked = [symptoms.next_asks_again(reason) for _ in range(40)]
    assert 2 <= sum(asked) <= 8 and not asked[0]


@pytest.mark.parametrize("reason", [Reason.of_status(429), Reason.of_status(503), RESET])
def test_each_pause_before_asking_again_in_vain_is_longer(reason: Reason) -> None:
    symptoms, pauses = Symptoms(), []
    for _ in range(3):
        pauses.append(symptoms.patience(reason))
        symptoms.record_asked_again(reason, served=False)
    assert pauses[0] == 1 < pauses[1] < pauses[2]


def test_what_takes_long_is_not_asked_again_at_once() -> None:
    assert not Symptoms().next_asks_again(Reason(ReasonKind.TIMEOUT, "timeout"))


def test_a_host_that_fails_at_random_is_not_slowed_down_for_ever() -> None:
    symptoms = Symptoms()
    for _ in range(20):
        symptoms.record_asked_again(RESET, served=True)
    assert symptoms.means_overload(RESET, 8.0) and symptoms.means_overload(RESET, 3.0)
    assert not symptoms.means_overload(RESET, 2.0), "slowing down did not help"
