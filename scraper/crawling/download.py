"""Download the listed images: each is fetched, checked, stored, and recorded in the state."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

from scraper.crawling.session import Session
from scraper.crawling.thread_pool import map_unordered
from scraper.http.errors import FetchError
from scraper.http.reason import Outcome
from scraper.http.urls import host_of
from scraper.storage.image_store import InvalidImage, StoredImage
from scraper.storage.jobs import ImageJob, validators
from scraper.tables import ImageStatus, ReasonKind


@dataclass(frozen=True)
class _Result:
    """An image was stored, has not changed (no field is set), or could not be stored (`failure`)."""

    stored: StoredImage | None = None
    headers: dict[str, str] | None = None
    failure: Outcome | None = None


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
                _record(session, job, _Result())
                update(1, total)
            return None

        def fetch(job: ImageJob) -> _Result:
            return _fetch(session, job)

        for job, result in map_unordered(
            next_job, fetch, session.threads, session.max_in_flight, session.stop, lambda: update(0, total)
        ):
            _record(session, job, result)
            update(1, total)


def _interleave_hosts(pending: list[ImageJob]) -> Iterator[ImageJob]:
    """Jobs of each host in turn: hosts are contacted at the same time, each at its own rate."""
    hosts: dict[str, list[ImageJob]] = {}
    for job in pending:
        hosts.setdefault(host_of(job.url), []).append(job)
    return (job for turn in zip_longest(*hosts.values()) for job in turn if job is not None)


def _fetch(session: Session, job: ImageJob) -> _Result:
    try:
        response = session.client.image(job.url, validators(job), referer=job.page_url)
    except FetchError as error:
        return _Result(failure=error.outcome)
    if response.status == 304:
        return _Result()
    try:
        return _Result(session.images.add(response.body), response.headers)
    except InvalidImage as error:
        # Our own limits may be raised later; other invalid bytes stay invalid until they change.
        known = {} if error.reason.kind == ReasonKind.TOO_MANY_PIXELS else response.headers
        return _Result(headers=known, failure=Outcome(ImageStatus.INVALID, error.reason))


def _record(session: Session, job: ImageJob, result: _Result) -> None:
    images, summary = session.state.images, session.summary
    if result.stored is not None:
        images.mark_fetched(job.url, result.stored, result.headers or {})
        if job.sha256 is None:
            summary.added += 1
        elif job.sha256 == result.stored.sha256:
            summary.unchanged += 1
        else:
            summary.changed += 1
        return
    outcome = result.failure or job.unchanged
    images.mark_unchanged(job.url, outcome, result.headers if job.sha256 is None else None)
    if outcome.status == ImageStatus.OK:
        summary.unchanged += 1
    else:
        summary.by_reason[outcome] += 1
