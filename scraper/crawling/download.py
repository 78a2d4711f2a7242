"""Download the listed images: each is fetched, checked, stored, and recorded in the state."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

from scraper.crawling.session import Session
from scraper.crawling.thread_pool import map_unordered
from scraper.http.fetcher import FetchError
from scraper.http.urls import host_of
from scraper.storage.image_store import TOO_MANY_PIXELS, InvalidImage, StoredImage
from scraper.storage.jobs import ImageJob, validators


@dataclass(frozen=True)
class _Outcome:
    """What became of an image: stored, unchanged (no field is set), or not stored (`failure`)."""

    stored: StoredImage | None = None
    headers: dict[str, str] | None = None
    failure: FetchError | None = None


def download(session: Session, pending: list[ImageJob]) -> None:
    """Fetch these images. Raises Blocked, and UserError if the disk refuses a write."""
    jobs = _interleave_hosts(pending)
    total = len(pending)
    with session.track_progress("download", "images") as update:

        def next_job() -> ImageJob | None:
            for job in jobs:
                if job.needs_request:
                    return job
                # No validator, so a conditional request is impossible; stores give a changed image a new URL.
                _record(session, job, _Outcome())
                update(1, total)
            return None

        def fetch(job: ImageJob) -> _Outcome:
            return _fetch(session, job)

        for job, outcome in map_unordered(
            next_job, fetch, session.threads, session.max_in_flight, session.stop, lambda: update(0, total)
        ):
            _record(session, job, outcome)
            update(1, total)


def _interleave_hosts(pending: list[ImageJob]) -> Iterator[ImageJob]:
    """Jobs of each host in turn: hosts are contacted at the same time, each at its own rate."""
    hosts: dict[str, list[ImageJob]] = {}
    for job in pending:
        hosts.setdefault(host_of(job.url), []).append(job)
    return (job for turn in zip_longest(*hosts.values()) for job in turn if job is not None)


def _fetch(session: Session, job: ImageJob) -> _Outcome:
    try:
        response = session.source.image(job.url, validators(job))
    except FetchError as failure:
        return _Outcome(failure=failure)
    if response.status == 304:
        return _Outcome()
    try:
        return _Outcome(session.images.add(response.body), response.headers)
    except InvalidImage as error:
        # Our own limits may be raised later; other invalid bytes stay invalid until they change.
        known = {} if str(error) == TOO_MANY_PIXELS else response.headers
        return _Outcome(headers=known, failure=FetchError("invalid", str(error)))


def _record(session: Session, job: ImageJob, outcome: _Outcome) -> None:
    state, summary = session.state, session.summary
    if outcome.stored is not None:
        state.mark_fetched(job.url, outcome.stored, outcome.headers or {})
        if job.sha256 is None:
            summary.added += 1
        elif job.sha256 == outcome.stored.sha256:
            summary.unchanged += 1
        else:
            summary.changed += 1
        return
    status, reason = job.unchanged
    if outcome.failure is not None:
        status, reason = outcome.failure.status, outcome.failure.reason
    state.mark_unchanged(job.url, status, reason, outcome.headers if job.sha256 is None else None)
    if status == "ok":
        summary.unchanged += 1
    else:
        summary.by_reason[f"{status}: {reason}"] = summary.by_reason.get(f"{status}: {reason}", 0) + 1
