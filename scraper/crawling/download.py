"""Download the listed images: each is fetched, checked, stored, and recorded in the state."""

from dataclasses import dataclass

from scraper.crawling.job_queue import JobQueue
from scraper.crawling.retry_policy import RetryPolicy
from scraper.crawling.session import Session
from scraper.crawling.thread_pool import map_unordered
from scraper.http.errors import Blocked, FetchError, Postponed, TransientError
from scraper.http.reason import Outcome
from scraper.http.urls import host_of
from scraper.storage.image_store import InvalidImage, StoredImage
from scraper.storage.jobs import ImageJob, validators
from scraper.tables import ImageStatus, ReasonKind


@dataclass(frozen=True)
class _Result:
    """An image was stored, has not changed (no field is set), or could not be stored (`failure`).

    `error`: the image is to be requested again, or its host is not to be contacted any more.
    """

    stored: StoredImage | None = None
    headers: dict[str, str] | None = None
    failure: Outcome | None = None
    error: TransientError | Postponed | Blocked | None = None


def download(session: Session, pending: list[ImageJob]) -> None:
    """Fetch these images; hosts are contacted at the same time, each at its own rate.

    A host that blocks us stops no other one. Raises the first Blocked at the end, and UserError if the disk
    refuses a write.
    """
    queue = JobQueue[ImageJob](lambda job: host_of(job.url), session.source.concurrency, session.client.pause)
    retries, total, first_block = session.source.retries(), len(pending), None
    with session.track_progress("download", "images") as update:
        for job in pending:
            if job.needs_request:
                queue.add(job)
            else:
                # No validator, so a conditional request is impossible; stores give a changed image a new URL.
                _record(session, job, _Result())
                update(1, total)

        def fetch(job: ImageJob) -> _Result:
            return _fetch(session, job, retries.is_first(job.url))

        for job, result in map_unordered(queue, fetch, session.stop, lambda: update(0, total)):
            if isinstance(result.error, Blocked):
                queue.drop_host(job)
                session.save_block(result.error)
                first_block = first_block or result.error
            elif (seconds := _wait(session, retries, job, result)) is not None:
                queue.put_back(job, seconds)
                update(0, total)
            else:
                _record(session, job, result)
                update(1, total)
    if first_block is not None:
        raise first_block


def _fetch(session: Session, job: ImageJob, first_try: bool) -> _Result:
    try:
        response = session.client.image(job.url, validators(job), first_try, job.page_url)
    except FetchError as error:
        return _Result(failure=error.outcome)
    except TransientError as error:
        return _Result(failure=Outcome.of_failure(error.reason), error=error)
    except (Postponed, Blocked) as error:
        return _Result(error=error)
    if response.status == 304:
        return _Result()
    try:
        return _Result(session.images.add(response.body), response.headers)
    except InvalidImage as error:
        failure = Outcome(ImageStatus.INVALID, error.reason)
        if failure.is_failure:
            return _Result(failure=failure, error=TransientError(error.reason))
        # Our own limits may be raised later; other invalid bytes stay invalid until they change.
        known = {} if error.reason.kind == ReasonKind.TOO_MANY_PIXELS else response.headers
        return _Result(headers=known, failure=failure)


def _wait(session: Session, retries: RetryPolicy, job: ImageJob, result: _Result) -> float | None:
    """Seconds until the image is requested again; None if its result is final."""
    if isinstance(result.error, Postponed):
        return retries.postponed(job.url, result.error)
    if not isinstance(result.error, TransientError):
        retries.record_success()
        return None
    seconds = retries.failed(job.url, result.error, job.attempts)
    if seconds is not None:
        session.state.images.count_attempt(job.url)
    return seconds


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
