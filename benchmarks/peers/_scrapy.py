"""Run Scrapy; started in the environment of `_peers`: `python _scrapy.py polite|images URL`."""

import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar

from _atomic_write import write_atomically
from scrapy import Spider
from scrapy.crawler import CrawlerProcess
from scrapy.http import HtmlResponse
from scrapy.pipelines.files import FSFilesStore
from scrapy.pipelines.images import ImagesPipeline


class Polite(Spider):
    """Everything reachable from `start_urls`, at the rate that AutoThrottle finds."""

    name = "polite"
    custom_settings: ClassVar = {"AUTOTHROTTLE_ENABLED": True, "ROBOTSTXT_OBEY": True, "LOG_LEVEL": "WARNING"}

    def parse(self, response: Any) -> Iterator[Any]:
        """Follow all links and images."""
        if isinstance(response, HtmlResponse):
            yield from response.follow_all(css="a")
            yield from response.follow_all(response.css("img::attr(src)").getall())


class AtomicStore(FSFilesStore):
    """Writes each file atomically."""

    def persist_file(self, path: Any, buf: BytesIO, info: Any, *rest: Any, **options: Any) -> None:
        """See FSFilesStore."""
        file = Path(self.basedir, path)
        file.parent.mkdir(exist_ok=True)
        write_atomically(file, buf.getvalue())


class AtomicPipeline(ImagesPipeline):
    """ImagesPipeline that uses AtomicStore."""

    STORE_SCHEMES: ClassVar = {**ImagesPipeline.STORE_SCHEMES, "": AtomicStore}


class Images(Spider):
    """The images of the gallery pages that the start page links to, without a rate limit."""

    name = "images"
    custom_settings: ClassVar = {
        "ITEM_PIPELINES": {AtomicPipeline: 1},
        "IMAGES_STORE": "images",
        "CONCURRENT_REQUESTS": 16,
        "CONCURRENT_REQUESTS_PER_DOMAIN": 16,
        "ROBOTSTXT_OBEY": True,
        "LOG_LEVEL": "WARNING",
    }

    def parse(self, response: Any) -> Iterator[Any]:
        """An item for each image."""
        yield from response.follow_all(css="a")
        for source in response.css("img::attr(src)").getall():
            yield {"image_urls": [response.urljoin(source)]}


def main() -> None:
    """Crawl from the start URL."""
    name, url = sys.argv[1:]
    process = CrawlerProcess()
    process.crawl({"polite": Polite, "images": Images}[name], start_urls=[url])
    process.start()


if __name__ == "__main__":
    main()
