"""What the crawl's state knows of one page, and of one image to ask for."""

from dataclasses import dataclass

from scraper.http.transport import conditions


@dataclass(frozen=True)
class PageRow:
    """What is known of a page: `found` is JSON of a `Found`, `settled`: in the current run."""

    settled: bool
    status: str
    etag: str | None
    last_modified: str | None
    readers: str
    found: str | None


@dataclass(frozen=True)
class ImageJob:
    """An image to ask for, and what the last run knew of it: `sha256` is there when its file is."""

    url: str
    etag: str | None
    last_modified: str | None
    sha256: str | None
    status: str | None
    reason: str | None

    @property
    def asked(self) -> bool:
        """Whether there is anything to ask for: the image, or whether it has changed."""
        return self.sha256 is None or bool(self.etag or self.last_modified)

    @property
    def unchanged(self) -> tuple[str, str | None]:
        """Status and reason when the answer has not changed since."""
        return ("invalid", self.reason) if self.status == "invalid" else ("ok", None)


def validators(known: PageRow | ImageJob) -> dict[str, str]:
    """Headers that ask whether something has changed; empty when nothing tells."""
    if isinstance(known, ImageJob) and known.sha256 is None and known.status != "invalid":
        return {}  # there is nothing that could be unchanged
    return conditions(known.etag, known.last_modified)
