"""Crawl a site: discover all its images first, then download them.

`scraper.storage.crawl_state` describes what survives a kill.
"""

from scraper.crawling.download import download
from scraper.crawling.session import METRICS, open_session
from scraper.crawling.sources import choose_source
from scraper.monitoring.summary import Summary
from scraper.params import CrawlParams
from scraper.stores.config import Site


def crawl_site(site: Site, params: CrawlParams) -> Summary:
    """Crawl a site into `data/raw/<site>`; starts the demo store for a site that it serves.

    The summary tells whether the crawl finished. Raises UserError if the site cannot be crawled at all.
    """
    with open_session(choose_source(site, params), METRICS / f"{site.name}.json") as session:
        session.state.images.forget_lost_files()
        session.source.discover(session)
        download(session, session.state.images.pending())
        session.state.runs.finish()
        session.images.keep_only(session.state.images.paths())
    return session.summary
