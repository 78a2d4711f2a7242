"""The summary of a crawl, as JSON and as lines."""

from threading import Event

from scraper.http.rate_limiter import HostRateLimiter
from scraper.http.reason import Outcome, Reason
from scraper.http.request_rate import RequestRate
from scraper.monitoring.summary import HostCounts, Summary
from scraper.tables import ImageStatus, ReasonKind


def refused(host: str) -> Outcome:
    reason = Reason(ReasonKind.HOST_NOT_ALLOWED, f"host {host} is not allowed")
    return Outcome(ImageStatus.REFUSED, reason)


def test_outcomes_are_counted_by_their_text_and_printed_without_hosts() -> None:
    summary = Summary("shop")
    summary.by_reason[refused("a.test")] = 2
    summary.by_reason[refused("b.test")] = 1
    summary.by_reason[Outcome(ImageStatus.FAILED, Reason(ReasonKind.UNKNOWN, "HTTP 500"))] = 1
    summary.by_reason[Outcome(ImageStatus.FAILED, Reason.of_status(500))] = 1
    assert summary.to_json()["by_reason"] == {
        "refused: host a.test is not allowed": 2,
        "refused: host b.test is not allowed": 1,
        "failed: HTTP 500": 2,
    }
    assert "not stored  5, 2 failed: HTTP 500, 3 refused: host is not allowed" in summary.lines()


def test_totals_are_sums_over_the_hosts() -> None:
    first = HostCounts(5, 1.5, 2.0, 3.0, True, 1, 0.5, 2)
    second = HostCounts(7, 0.5, 2.0, 3.0, False, 0, None, 1)
    values = Summary("shop", added=3, changed=1, hosts={"a.test": first, "b.test": second}).to_json()
    assert values["hosts"] == {"a.test": vars(first), "b.test": vars(second)}
    totals = [values[key] for key in ("requests", "waited_seconds", "rejections", "failures", "downloaded")]
    assert totals == [12, 2.0, 1, 3, 4]


def test_hosts_that_were_only_named_are_not_printed() -> None:
    asked, named = (
        HostRateLimiter(f"{name}.test", RequestRate.known(50), 1, Event()) for name in ("asked", "named")
    )
    with asked.acquire():
        pass
    summary = Summary("shop")
    summary.add_host_counters([asked, named], started=0.0)
    assert list(summary.hosts) == ["asked.test"] and "named.test" not in "\n".join(summary.lines())
