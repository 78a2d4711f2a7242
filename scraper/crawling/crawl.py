"""Crawl a site: discover all its images first, then download them.

`scraper.storage.crawl_state` describes what survives a kill.
"""

from pathlib import Path

from pydantic import ValidationError

from gemkit.errors import UserError
from gemkit.project import Project
from scraper.crawling.download import download
from scraper.crawling.missing import count_missing
from scraper.crawling.session import CrawlSource, open_session
from scraper.crawling.sources import FolderSource, choose_source
from scraper.http.errors import Blocked
from scraper.monitoring.summary import Summary
from scraper.params import CrawlParams
from scraper.stores.config import SITES, FolderSite, Site, find_site, known_sites


def crawl(project: Project, site: Site | str, settings: CrawlParams | None = None) -> Summary:
    """Fetch what is new or changed at a site, or the one of a name, into `data/raw/<site>` of the project.

    An interrupted crawl resumes where it ended. Without `settings`, the defaults of the site's kind hold. The
    summary tells how the crawl ended; if the store blocks it, there is no exception. Raises UserError if the
    site cannot be crawled at all.
    """
    return _crawl(project, choose_source(project, find_site(project, site), settings))


def import_images(project: Project, path: Path | str, name: str) -> Summary:
    """Import a folder or .zip with one folder of images per class, as if a store `name` had served them.

    The originals are not changed. Raises UserError for a name that is not valid or that another site has, and
    for a path without such images.
    """
    if (known := known_sites(project).get(name)) is not None:
        origin = "built in" if known.parent == SITES else f"described in '{known}'"
        raise UserError(
            f"'{name}' is a known site, {origin}; "
            f"choose another name, or run 'gemscrape crawl --site {name}'."
        )
    try:
        site = FolderSite(name=name, title=name)
    except ValidationError:
        raise UserError(
            f"'{name}' is not a valid site name; use lower-case letters, digits, '-' and '_'."
        ) from None
    if not Path(path).exists():
        raise UserError(f"'{path}' does not exist; give a folder or a zip of images.")
    return _crawl(project, FolderSource(site, Path(path)))


def _crawl(project: Project, source: CrawlSource) -> Summary:
    with open_session(project, source, record=True) as session:
        session.state.images.forget_lost_files()
        try:
            session.source.discover(session)
            download(session, session.state.images.pending())
        except Blocked as block:
            session.record_block(block)
        count_missing(session)
        if isinstance(source, FolderSource):
            source.name_unread(session)
        session.images.keep_only(session.state.images.paths())
    return session.summary
