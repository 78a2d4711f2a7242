"""Settings that may differ between crawls of a store, and the section `crawl` of `params.yaml`."""

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from gemkit.errors import UserError
from gemkit.params import load_params, validate_section
from gemkit.strict_model import Share, StrictModel
from scraper.stores.config import Contact, FolderSite, HtmlSite, Site

#: The share of a site's images that may be missing from a complete crawl.
MISSING = 0.01

#: The demo store has images that are none on purpose.
DEMO_MISSING = 0.1


class DemoParams(StrictModel):
    """The demo store: seed and scale of its catalogue, and a factor on its share of bad images.

    A scale of 1 has about 1,750 images.
    """

    seed: Annotated[int, Field(ge=0)] = 1
    scale: Annotated[float, Field(gt=0, le=10)] = 1.0
    dirt: Annotated[float, Field(ge=0, le=10)] = 1.0
    missing: Share = DEMO_MISSING


class StoreParams(StrictModel):
    """A real store: `contact` overrides the one in the site's file.

    A crawl is complete if at most the share `missing` of the images is missing, and no class. What the store
    says about the use of its images is respected unless it is switched off here.
    """

    renamed_keys: ClassVar = {
        "heed_x_robots_tag": "respect_x_robots_tag",
        "heed_content_signal": "respect_content_signal",
    }

    contact: Contact | None = None
    missing: Share = MISSING
    respect_x_robots_tag: bool = True
    respect_content_signal: bool = True

    @property
    def disregarded(self) -> list[str]:
        """Names of the opt-outs that are switched off."""
        switches = {
            "respect_x_robots_tag": self.respect_x_robots_tag,
            "respect_content_signal": self.respect_content_signal,
        }
        return [name for name, on in switches.items() if not on]


class FolderParams(StrictModel):
    """The path of a folder or zip of images; a relative one starts at the project's folder.

    Its import is complete if at most the share `missing` of the images cannot be read, and no class.
    """

    folder: Path
    missing: Share = MISSING


CrawlParams = DemoParams | StoreParams | FolderParams


def default_params(site: Site) -> CrawlParams:
    """The settings of a site for which none are given. Raises UserError for a folder: its path is needed."""
    if isinstance(site, FolderSite):
        raise UserError(f"The site '{site.name}' is a folder: give its path, as FolderParams(folder=…).")
    return DemoParams() if _is_demo(site) else StoreParams()


def crawl_params(path: Path, site: Site) -> CrawlParams:
    """The settings of one site's crawl in a parameter file. Raises UserError."""
    section = load_params(path).get("crawl") or {}
    if not isinstance(section, dict):
        raise UserError(f"'{path}': 'crawl' must be a mapping from sites to their settings.")
    kind: type[CrawlParams] = DemoParams if _is_demo(site) else StoreParams
    if isinstance(site, FolderSite):
        kind = FolderParams
    key = f"crawl.{site.name}"
    params: CrawlParams = validate_section(path, {key: section.get(site.name)}, key, kind)
    return params


def _is_demo(site: Site) -> bool:
    return isinstance(site, HtmlSite) and site.server == "demo"
