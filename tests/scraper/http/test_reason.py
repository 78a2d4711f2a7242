"""Reasons, outcomes and exceptions carry fields, so that no program reads their text."""

import pytest

from scraper.http.errors import FetchError, TooLarge
from scraper.http.reason import OK, Outcome, Reason
from scraper.tables import ImageStatus, ReasonKind


@pytest.mark.parametrize(
    ("status", "server"), [(404, False), (499, False), (500, True), (599, True), (600, False)]
)
def test_only_5xx_is_an_error_of_the_server(status: int, server: bool) -> None:
    assert Reason.of_status(status).is_server_error == server
    assert not Reason(ReasonKind.TIMEOUT, "HTTP 500 in a text").is_server_error


@pytest.mark.parametrize(
    "outcome",
    [
        OK,
        Outcome(ImageStatus.REFUSED, Reason(ReasonKind.ROBOTS, "robots.txt")),
        FetchError(ImageStatus.GONE, Reason.of_status(404)).outcome,
    ],
)
def test_an_outcome_survives_its_columns(outcome: Outcome) -> None:
    columns = outcome.columns
    reason = Reason.stored(columns["reason_kind"], columns["reason"])
    assert Outcome(ImageStatus(str(columns["status"])), reason) == outcome


def test_a_text_without_a_kind_is_unknown() -> None:
    assert Reason.stored(None, None) is None
    reason = Reason.stored(None, "robots.txt")
    assert reason is not None and (reason.kind, reason.text) == (ReasonKind.UNKNOWN, "robots.txt")


def test_every_status_has_a_description() -> None:
    assert all(status.description for status in ImageStatus)


def test_a_body_that_is_too_large_names_the_cap() -> None:
    error = TooLarge(9)
    assert (error.max_bytes, error.reason) == (9, Reason(ReasonKind.TOO_LARGE, "more than 9 bytes"))
