"""The state of a crawl, in one SQLite file. Each item is a transaction: a kill loses only what was in flight.

A *run* is one crawl from the start page to the last image. An interrupted crawl resumes the same run: items
that were finished in the run are not requested again. Pages are, once all of them were read the day before: a
run that is blocked each night still learns what is new. After a finished crawl the next one is a new run,
which requests everything again, conditionally.
"""

import time
from collections.abc import Callable
from pathlib import Path

from gemkit.project import Project
from scraper.storage.host_table import HostTable
from scraper.storage.image_table import ImageTable
from scraper.storage.listing_table import ListingTable
from scraper.storage.page_table import PageTable
from scraper.storage.product_table import ProductTable
from scraper.storage.run_table import RunTable
from scraper.storage.schema import Database


def state_file(project: Project, site: str) -> Path:
    """The file of the state of a site's crawl."""
    return project.crawl_state / f"{site}.sqlite"


class CrawlState:
    """The state of one site's crawl, one object a table; used from one thread.

    If the file is missing (or not ours), it is rebuilt from the tables in `folder`. `clock` tells the times
    in the tables, in seconds since 1970.
    """

    def __init__(self, path: Path, folder: Path, clock: Callable[[], float] = time.time):
        self._database = database = Database(path, folder)
        self.runs = RunTable(database)
        self.hosts = HostTable(database)
        self.products = ProductTable(database)
        self.pages = PageTable(database, self.runs.current)
        self.images = ImageTable(database, self.runs.current, folder, clock)
        self.listings = ListingTable(database, self.pages, self.images, self.products)

    def renew_pages(self) -> bool:
        """Let the run read its pages again if it read them all long ago; returns whether it does.

        Its images stay as they are: stored ones are not requested again.
        """
        if not self.runs.pages_are_old():
            return False
        with self._database.transaction():
            self.pages.forget_run()
            self.runs.forget_pages_read()
        return True

    def close(self) -> None:
        """Close the file."""
        self._database.close()
