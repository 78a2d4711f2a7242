"""What a crawl found, for `metrics/crawl/<site>.json`: only what every crawl of the same store finds."""

from dataclasses import asdict, dataclass
from pathlib import Path

from gemkit.project import Project
from scraper.monitoring.summary import Ended, Summary, count_texts
from scraper.storage.crawl_state import CrawlState


def counts_file(project: Project, site: str) -> Path:
    """The file of the counts of a site's last crawl."""
    return project.metrics / f"crawl/{site}.json"


@dataclass(frozen=True)
class CrawlCounts:
    """Counts of a site's pages, links, products and images after a crawl.

    They depend neither on time, rates and retries nor on how often the crawl was interrupted. A crawl that
    did not finish counts what is known so far. `pages` were read. `found` counts the links to images,
    `distinct` the images that they lead to. `images` and `by_reason` cover all known images.
    """

    site: str
    ended: Ended
    pages: int
    pages_by_reason: dict[str, int]
    found: int
    distinct: int
    products: int
    images: dict[str, int]
    by_reason: dict[str, int]

    @classmethod
    def of(cls, summary: Summary, state: CrawlState) -> "CrawlCounts":
        """The counts of the state at the end of the crawl with this summary."""
        return cls(
            site=summary.site,
            ended=summary.ended,
            pages=state.pages.count_read(),
            pages_by_reason=count_texts(state.pages.failures()),
            found=summary.found,
            distinct=state.images.count_listed(),
            products=state.products.count(),
            images=state.images.statuses(),
            by_reason=count_texts(state.images.failures()),
        )

    def to_json(self) -> dict[str, object]:
        """The counts by name."""
        return asdict(self)
