"""Scrapy's side, run in the environment of `_peers`: `python _scrapy.py polite|images URL`."""

import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar

from _atomic_write import write_durably
from scrapy import Spider
from scrapy.crawler import CrawlerProcess
from scrapy.http import HtmlResponse
from scrapy.pipelines.files import FSFilesStore
from scrapy.pipelines.images import ImagesPipeline


class Polite(Spider):
    """Everything that the pages from `start_urls` on link to, at the speed that AutoThrottle finds."""

    name = "polite"
    custom_settings: ClassVar = {"AUTOTHROTTLE_ENABLED": True, "ROBOTSTXT_OBEY": True, "LOG_LEVEL": "WARNING"}

    def parse(self, response: Any) -> Iterator[Any]:
        """Follow all links and images."""
        if isinstance(response, HtmlResponse):
            yield from response.follow_all(css="a")
            yield from response.follow_all(response.css("img::attr(src)").getall())


class DurableStore(FSFilesStore):
    """Writes each file durably."""

    def persist_file(self, path: Any, buf: BytesIO, info: Any, *rest: Any, **options: Any) -> None:
        """See FSFilesStore."""
        file = Path(self.basedir, path)
        file.parent.mkdir(exist_ok=True)
        write_durably(file, buf.getvalue())


class DurablePipeline(ImagesPipeline):
    """ImagesPipeline with that store."""

    STORE_SCHEMES: ClassVar = {**ImagesPipeline.STORE_SCHEMES, "": DurableStore}


class Images(Spider):
    """The images of the gallery pages that the start page links to, by ImagesPipeline, without a limit."""

    name = "images"
    custom_settings: ClassVar = {
        "ITEM_PIPELINES": {DurablePipeline: 1},
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
    """Crawl from the URL on."""
    name, url = sys.argv[1:]
    process = CrawlerProcess()
    process.crawl({"polite": Polite, "images": Images}[name], start_urls=[url])
    process.start()


if __name__ == "__main__":
    main()
