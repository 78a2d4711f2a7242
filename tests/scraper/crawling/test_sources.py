"""The source of a crawl is chosen once, by the kind of the site."""

from pathlib import Path

import pytest

from gemkit.errors import UserError
from gemkit.project import Project
from scraper.crawling.sources import DemoSource, FolderSource, LinksSource, StoreSource, choose_source
from scraper.params import CrawlParams, DemoParams, FolderParams, StoreParams
from scraper.stores.config import FolderSite, Site, load_site

FOLDER = FolderSite(name="own", title="Own")
CONTACT = StoreParams(contact="me@example.org", respect_x_robots_tag=False)


@pytest.mark.parametrize(
    ("site", "params", "kind"),
    [
        (load_site("demo"), DemoParams(), DemoSource),
        (load_site("gempundit"), CONTACT, StoreSource),
        (load_site("gempundit_published"), CONTACT, LinksSource),
        (FOLDER, FolderParams(folder=Path()), FolderSource),
    ],
)
def test_each_kind_of_site_has_a_source(site: Site, params: CrawlParams, kind: type) -> None:
    source = choose_source(Project(), site, params)
    assert type(source) is kind and source.site is site and source.concurrency >= 1
    disregarded = [f"crawl.{site.name}.respect_x_robots_tag is false: the store's opt-out is disregarded"]
    assert list(source.notes) == (disregarded if params is CONTACT else [])


@pytest.mark.parametrize("params", [DemoParams(), FolderParams(folder=Path())])
def test_settings_of_another_kind_are_refused(params: CrawlParams) -> None:
    with pytest.raises(UserError, match=r"'crawl\.gempundit_published' must hold the settings"):
        choose_source(Project(), load_site("gempundit_published"), params)


def test_a_store_needs_a_contact_address() -> None:
    with pytest.raises(UserError, match=r"set 'crawl\.gempundit\.contact'"):
        choose_source(Project(), load_site("gempundit"), None)
