"""Crawl a site: find everything first, then download.

`scraper.storage.crawl_state` says what survives a kill.
"""

from scraper.crawling.discovery import find
from scraper.crawling.download import download
from scraper.crawling.session import METRICS, open_session
from scraper.monitoring.summary import Summary
from scraper.params import CrawlParams
from scraper.stores.config import Site


def crawl_site(site: Site, params: CrawlParams) -> Summary:
    """Crawl a site into `data/raw/<site>`; starts the demo store for a site that it serves.

    The summary says whether the site let us finish. Raises UserError when it cannot be crawled at all.
    """
    with open_session(site, params, METRICS / f"{site.name}.json") as session:
        session.state.forget_lost_files()
        find(session)
        download(session, session.state.pending())
        session.state.finish()
        session.images.keep_only(session.state.paths())
    return session.summary
