"""From the images that are listed to files: each one asked for, checked, stored and settled."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

from scraper.crawling.session import Session
from scraper.crawling.thread_pool import work
from scraper.http.fetcher import NotFetched
from scraper.http.urls import host_of
from scraper.storage.image_store import TOO_MANY_PIXELS, InvalidImage, StoredImage
from scraper.storage.jobs import ImageJob, validators


@dataclass(frozen=True)
class _Image:
    """What became of an image: stored, unchanged (neither), or not stored (`failure`)."""

    stored: StoredImage | None = None
    headers: dict[str, str] | None = None
    failure: NotFetched | None = None


def download(session: Session, pending: list[ImageJob]) -> None:
    """Settle these images. Raises Blocked, UserError for a disk that refuses."""
    jobs = _by_turns(pending)
    total = len(pending)
    with session.watched("download", "images") as show:

        def take() -> ImageJob | None:
            for job in jobs:
                if job.asked:
                    return job
                # Nothing to ask by whether it changed, and stores give a changed photo a new URL.
                _settle(session, job, _Image())
                show(1, total)
            return None

        def fetch(job: ImageJob) -> _Image:
            return _fetch(session, job)

        for job, image in work(
            take, fetch, session.threads, session.places, session.stop, lambda: show(0, total)
        ):
            _settle(session, job, image)
            show(1, total)


def _by_turns(pending: list[ImageJob]) -> Iterator[ImageJob]:
    """One of each host after the other: hosts are asked at the same time, each at its own rate."""
    hosts: dict[str, list[ImageJob]] = {}
    for job in pending:
        hosts.setdefault(host_of(job.url), []).append(job)
    return (job for turn in zip_longest(*hosts.values()) for job in turn if job is not None)


def _fetch(session: Session, job: ImageJob) -> _Image:
    try:
        answer = session.source.image(job.url, validators(job))
    except NotFetched as failure:
        return _Image(failure=failure)
    if answer.status == 304:
        return _Image()
    try:
        return _Image(session.images.add(answer.body), answer.headers)
    except InvalidImage as error:
        # Our own limits may be raised one day; what is no image stays none until it changes.
        known = {} if str(error) == TOO_MANY_PIXELS else answer.headers
        return _Image(headers=known, failure=NotFetched("invalid", str(error)))


def _settle(session: Session, job: ImageJob, image: _Image) -> None:
    state, summary = session.state, session.summary
    if image.stored is not None:
        state.settle_image(job.url, image.stored, image.headers or {})
        if job.sha256 is None:
            summary.added += 1
        elif job.sha256 == image.stored.sha256:
            summary.unchanged += 1
        else:
            summary.changed += 1
        return
    status, reason = job.unchanged
    if image.failure is not None:
        status, reason = image.failure.status, image.failure.reason
    state.keep_image(job.url, status, reason, image.headers if job.sha256 is None else None)
    if status == "ok":
        summary.unchanged += 1
    else:
        summary.by_reason[f"{status}: {reason}"] = summary.by_reason.get(f"{status}: {reason}", 0) + 1
