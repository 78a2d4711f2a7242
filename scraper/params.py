"""The section `crawl` of `params.yaml`: what may differ from one crawl of a store to the next."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from gemkit.errors import UserError
from gemkit.params import DEFAULT_PATH, load_params, validate_section
from gemkit.strict_model import StrictModel
from scraper.stores.config import Contact, FolderSite, HtmlSite, Site


class DemoParams(StrictModel):
    """The demo store: seed and scale of its catalogue, and a factor on its share of bad photos."""

    seed: Annotated[int, Field(ge=0)] = 1
    scale: Annotated[float, Field(gt=0, le=10)] = 1.0
    dirt: Annotated[float, Field(ge=0, le=10)] = 1.0


class StoreParams(StrictModel):
    """A real store: `contact` goes before the one in the site's file.

    What the store says about the use of its pictures is heeded unless a person switches it off here.
    """

    contact: Contact | None = None
    heed_x_robots_tag: bool = True
    heed_content_signal: bool = True

    @property
    def unheeded(self) -> list[str]:
        """Names of the switches that are off."""
        switches = {
            "heed_x_robots_tag": self.heed_x_robots_tag,
            "heed_content_signal": self.heed_content_signal,
        }
        return [name for name, on in switches.items() if not on]


class FolderParams(StrictModel):
    """A folder or zip of images, relative to the project's folder."""

    folder: Path


CrawlParams = DemoParams | StoreParams | FolderParams


def crawl_params(path: Path, site: Site) -> CrawlParams:
    """The parameters of one site's crawl; defaults where the default file is missing. Raises UserError."""
    if path == DEFAULT_PATH and not path.exists():
        content: dict[str, Any] = {}
    else:
        content = load_params(path)
    section = content.get("crawl") or {}
    if not isinstance(section, dict):
        raise UserError(f"'{path}': 'crawl' must be a mapping from sites to their settings.")
    kind: type[CrawlParams] = StoreParams
    if isinstance(site, FolderSite):
        kind = FolderParams
    elif isinstance(site, HtmlSite) and site.server == "demo":
        kind = DemoParams
    key = f"crawl.{site.name}"
    params: CrawlParams = validate_section(path, {key: section.get(site.name)}, key, kind)
    return params
