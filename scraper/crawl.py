"""Crawl a site: find everything first, then download; see `scraper.state` for what survives a kill."""

from scraper.download import download
from scraper.find import find
from scraper.params import CrawlParams
from scraper.session import METRICS, open_session
from scraper.site import Site
from scraper.summary import Summary


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
