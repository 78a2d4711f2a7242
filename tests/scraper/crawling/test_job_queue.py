"""What is left to fetch: hosts in turn, fresh jobs first, closed hosts."""

import time

from hypothesis import given
from hypothesis import strategies as st

from scraper.crawling.job_queue import JobQueue


def queue(*jobs: str, places: int = 2, pauses: dict[str, float] | None = None) -> JobQueue[str]:
    """Jobs such as `a1`, whose host is `a`."""
    made = JobQueue[str](lambda job: job[0], places, lambda host: (pauses or {}).get(host, 0.0))
    for job in jobs:
        made.add(job)
    return made


def taken(jobs: JobQueue[str]) -> list[str]:
    return list(iter(jobs.take, None))


def test_hosts_take_turns_and_have_so_many_places() -> None:
    jobs = queue("a1", "a2", "a3", "b1", "b2")
    assert taken(jobs) == ["a1", "b1", "a2", "b2"] and not jobs.empty
    jobs.done("a1")
    assert taken(jobs) == ["a3"] and jobs.empty


def test_a_job_that_failed_comes_after_the_fresh_ones_and_not_before_it_is_due() -> None:
    jobs = queue("a1", "a2", "a3", places=1)
    assert jobs.take() == "a1"
    jobs.put_back("a1", 0.05)
    jobs.done("a1")
    for job in ("a2", "a3"):
        assert jobs.take() == job
        jobs.done(job)
    assert jobs.take() is None and not jobs.empty and 0 < jobs.wait() <= 0.05
    time.sleep(0.06)
    assert jobs.wait() == 0 and jobs.take() == "a1"


def test_a_host_that_waits_holds_up_no_other() -> None:
    assert taken(queue("a1", "a2", "b1", "b2", places=4, pauses={"a": 60.0})) == ["b1", "b2", "a1", "a2"]


def test_a_closed_host_gets_no_jobs_back() -> None:
    jobs = queue("a1", "a2", "b1", places=1)
    assert taken(jobs) == ["a1", "b1"]
    jobs.drop_host("a1")
    jobs.put_back("a1", 0.0)
    jobs.done("a1")
    jobs.done("b1")
    assert jobs.empty and jobs.take() is None and jobs.wait() == float("inf")


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=40), st.integers(1, 3))
def test_every_job_is_taken_until_it_is_done(jobs: list[tuple[str, bool]], places: int) -> None:
    names = [f"{host}{number}" for number, (host, _) in enumerate(jobs)]
    fails = {name for name, (_, failing) in zip(names, jobs, strict=True) if failing}
    made, finished = queue(*names, places=places), []
    while (job := made.take()) is not None:
        if job in fails:
            fails.discard(job)
            made.put_back(job, 0.0)
        else:
            finished.append(job)
        made.done(job)
    assert sorted(finished) == sorted(names) and made.empty
