"""Site files: all that the crawler must know of a store is one TOML file.

It is in the project's folder `sites/`, or built in. The file's name is the site's name, as in
`gemscrape crawl --site NAME`. Its `kind` says what is read: a store's pages, a link list, or a folder.
docs/sites.md and the built-in `gempundit.toml` show the format.
"""

import re
import tomllib
from pathlib import Path
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    Field,
    PositiveInt,
    ValidationInfo,
    field_validator,
    model_validator,
)

from gemkit.errors import UserError
from gemkit.project import Project
from gemkit.strict_model import StrictModel
from gemkit.validation import validate
from scraper.http.limits import ImageLimits, Limits, host_matches
from scraper.stores.extractors import Extractor, Url, check_selector

#: The built-in sites.
SITES = Path(__file__).parents[1] / "sites"

Selector = Annotated[str, AfterValidator(check_selector)]


def _host(pattern: str) -> str:
    if not re.fullmatch(r"(\*\.)?[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d+)?", pattern):
        raise ValueError("must be a lower-case host, such as 'www.example.com' or '*.example.com'")
    return pattern


Host = Annotated[str, AfterValidator(_host)]


def _contact(text: str) -> str:
    if not re.fullmatch(r"[!-'*-~]{3,200}", text):
        raise ValueError("must be an e-mail or web address, without spaces and brackets")
    return text


#: An e-mail or web address for complaints; it is sent in the User-Agent of every request.
Contact = Annotated[str, AfterValidator(_contact)]


_NAME = r"^[a-z0-9][a-z0-9_-]{0,63}$"


class Categories(StrictModel):
    """On the start page: a `card` for each class, which contains (or itself is) its `link` and its `name`."""

    card: Selector
    link: Selector | None = None
    name: Selector | None = None
    name_attribute: str | None = None


class Pagination(StrictModel):
    """Further pages of a category: reached by the `next` link, or numbered by `page` up to `last`.

    `page` contains `{category}` (the category's URL) and `{number}`. `last` selects numbers on a category
    page; the largest is the number of the last page. Where only a page beyond the end shows it, `probe` is
    the number of such a page.
    """

    next: Selector | None = None
    page: str | None = None
    last: Selector | None = None
    probe: PositiveInt | None = None

    @model_validator(mode="after")
    def _one_scheme(self) -> "Pagination":
        if (self.next is None) == (self.page is None):
            raise ValueError("needs either 'next', or 'page' with 'last'")
        if (self.page is None) != (self.last is None) or (self.probe and self.page is None):
            raise ValueError("'page' and 'last' must be set together, and 'probe' only with them")
        if self.page is not None and not re.fullmatch(r"[^{}]*\{category\}[^{}]*\{number\}[^{}]*", self.page):
            raise ValueError(
                "'page' must contain {category} and then {number}, as in '{category}/page/{number}'"
            )
        return self


class Products(StrictModel):
    """On a category page: the links to its products."""

    link: Selector


class Attributes(StrictModel):
    """On a product page: the rows of an attribute table, and the name and the value in each."""

    row: Selector
    name: Selector
    value: Selector


class Product(StrictModel):
    """On a product page. A product without an id is identified by the URL of its page."""

    id: Extractor | None = None
    title: Extractor | None = None
    attributes: Attributes | None = None


class Images(StrictModel):
    """An extractor of the URLs of a product's images; the first one that finds any is used."""

    # The name in the dump, and so in the fingerprint of pages that earlier crawls have stored, stays "way".
    extractor: Annotated[Extractor, Field(serialization_alias="way")]
    strip_query: bool = False

    @model_validator(mode="before")
    @classmethod
    def _nest_extractor(cls, values: object) -> object:
        # In the TOML the extractor's keys are next to `strip_query`, not in a table of their own.
        if not isinstance(values, dict) or "extractor" in values:
            return values
        options = {key: values[key] for key in ("strip_query",) if key in values}
        return {**options, "extractor": {key: value for key, value in values.items() if key not in options}}


class _SiteBase(StrictModel):
    name: Annotated[str, Field(pattern=_NAME)]
    title: str


class _LocalData(_SiteBase):
    """A site that reads data from this machine; `source` says where that data comes from."""

    source: str | None = None


class _RemoteSite(_SiteBase):
    image_hosts: Annotated[list[Host], Field(min_length=1)]
    contact: Contact | None = None
    limits: Limits = Limits()


class HtmlSite(_RemoteSite):
    """A store whose pages are read. `name` is the file's name; `server` marks the demo store, which we serve.

    Without `products`, each category page is read as the page of one product. `referer`: a request of an
    image names the page that shows it. `cookies`: those that pages and images set are sent back.
    """

    kind: Literal["html"] = "html"
    server: Literal["demo"] | None = None
    start_url: str
    page_hosts: Annotated[list[Host], Field(min_length=1)]
    categories: Categories
    pagination: Pagination | None = None
    products: Products | None = None
    product: Product = Product()
    images: Annotated[list[Images], Field(min_length=1)]
    referer: Literal["page"] | None = None
    cookies: bool = False

    @model_validator(mode="after")
    def _start_on_a_page_host(self) -> "HtmlSite":
        parts = urlsplit(self.start_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("'start_url' must be an http or https address")
        if not host_matches(parts.netloc, self.page_hosts):
            raise ValueError(f"'start_url' is on {parts.netloc}, which is not in 'page_hosts'")
        return self


class LinkedProduct(StrictModel):
    """Which product an image shows, read from its URL; an image without an id belongs to no product."""

    id: Url | None = None


class LinkFile(StrictModel):
    """A CSV file, optionally gzipped: a header line, then a class and an image URL on each line."""

    links: Path
    class_column: str = "class"
    image_column: str = "image_url"
    product: LinkedProduct = LinkedProduct()
    strip_query: bool = False


class LinksSite(_RemoteSite, _LocalData, LinkFile):
    """A store with a known list of image links: no page is read.

    In the site's file, `links` is relative to that file's folder; in a built-in one, to the project's folder.
    """

    page_hosts: ClassVar[list[str]] = []
    referer: ClassVar[None] = None
    cookies: ClassVar[bool] = False
    kind: Literal["links"]

    @field_validator("links")
    @classmethod
    def _relative_to_the_file(cls, links: Path, info: ValidationInfo) -> Path:
        folder: Path = (info.context or {}).get("folder", Path())
        return folder / links


class FolderSite(_LocalData):
    """A folder or zip of images on this machine; `crawl.<name>.folder` in params.yaml is its path."""

    kind: Literal["folder"] = "folder"
    limits: ImageLimits = ImageLimits()


#: Sites that are crawled over the network.
Store = HtmlSite | LinksSite
Site = Store | FolderSite

_KINDS: dict[str, type[HtmlSite] | type[LinksSite] | type[FolderSite]] = {
    "html": HtmlSite,
    "links": LinksSite,
    "folder": FolderSite,
}


def known_sites(project: Project | None = None) -> dict[str, Path]:
    """The files of the known sites by their names, in alphabetical order.

    These are the built-in sites and those of the project; of two with the same name, the project's is known.
    """
    folders = [SITES] if project is None else [SITES, project.sites]
    files = {path.stem: path for folder in folders for path in folder.glob("*.toml")}
    return dict(sorted(files.items()))


def load_site(site: str | Path, project: Project | None = None) -> Site:
    """A site by its name, from `sites/` of the project or built in, or by the path of its `.toml` file.

    Raises UserError that names the file and the key, or where a site of that name was looked for.
    """
    return _read_site(_site_file(str(site), project), project or Project())


def find_site(project: Project, site: Site | str) -> Site:
    """The site itself, or the project's or built-in one of that name. Raises UserError like `load_site`."""
    return load_site(site, project) if isinstance(site, str) else site


def _site_file(site: str, project: Project | None) -> Path:
    if site.endswith(".toml"):
        return Path(site)
    known = known_sites(project)
    if site not in known:
        where = "" if project is None else f": it is neither in '{project.sites}' nor built in"
        raise UserError(
            f"Unknown site '{site}'{where}; use one of {', '.join(known)}, or the path of a .toml file."
        )
    return known[site]


def _read_site(path: Path, project: Project) -> Site:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"The site file '{path}' does not exist.") from None
    except OSError as error:
        raise UserError(f"The site file '{path}' cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"'{path}' is not valid TOML: {error}.") from None
    kind = str(content.get("kind", "html"))
    if kind not in _KINDS:
        raise UserError(f"'{path}': 'kind' must be one of {', '.join(_KINDS)} (found {kind!r:.200}).")
    if not re.match(_NAME, path.stem):
        raise UserError(
            f"'{path}': the file's name must be lower-case letters, digits, '-' and '_', "
            "since it names the site."
        )
    folder = project.root if path.parent == SITES else path.parent
    return validate(_KINDS[kind], {**content, "name": path.stem}, path, context={"folder": folder})
