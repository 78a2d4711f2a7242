"""gemscrape: a web store becomes raw images and the tables that say where each came from.

from scraper import DemoParams, Project, crawl, load_site
summary = crawl(Project("my-gems"), load_site("demo"), DemoParams(scale=0.1))
"""

from typing import TYPE_CHECKING

from gemkit.lazy import lazy_exports

if TYPE_CHECKING:
    from gemkit.project import Project
    from scraper.crawling.crawl import crawl, import_images
    from scraper.crawling.plan import Plan, plan, plan_links
    from scraper.monitoring.summary import Summary
    from scraper.params import DemoParams, FolderParams, StoreParams
    from scraper.stores.config import Site, load_site

__all__ = [
    "DemoParams",
    "FolderParams",
    "Plan",
    "Project",
    "Site",
    "StoreParams",
    "Summary",
    "crawl",
    "import_images",
    "load_site",
    "plan",
    "plan_links",
]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "DemoParams": "scraper.params",
        "FolderParams": "scraper.params",
        "Plan": "scraper.crawling.plan",
        "Project": "gemkit.project",
        "Site": "scraper.stores.config",
        "StoreParams": "scraper.params",
        "Summary": "scraper.monitoring.summary",
        "crawl": "scraper.crawling.crawl",
        "import_images": "scraper.crawling.crawl",
        "load_site": "scraper.stores.config",
        "plan": "scraper.crawling.plan",
        "plan_links": "scraper.crawling.plan",
    },
)
