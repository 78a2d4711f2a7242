"""Pages to which shops redirect the URL of a product that they no longer have, recognised by their URLs."""

import re
from urllib.parse import parse_qsl, urlsplit

#: `/en/` or `/de-ch/`: the language of a shop's pages.
_LANGUAGE = re.compile("[a-z]{2}([-_][a-z]{2})?")

_HOME_NAMES = {"home", "index.html", "index.htm", "index.php", "default.aspx"}

_SEARCH_NAMES = {"search", "catalogsearch", "suche", "recherche", "buscar", "busca", "ricerca", "poisk"}

_SEARCH_PARAMETERS = {"s", "q", "query", "search"}


def is_home(url: str) -> bool:
    """Whether a URL is that of a host's home page, in any language; a query may mean another page."""
    return not urlsplit(url).query and not _path(url)


def is_search(url: str) -> bool:
    """Whether a URL is that of the results of a shop's search."""
    path = _path(url)
    names = {name.lower() for name, _ in parse_qsl(urlsplit(url).query)}
    return not _SEARCH_NAMES.isdisjoint(path) or (not path and not _SEARCH_PARAMETERS.isdisjoint(names))


def _path(url: str) -> list[str]:
    """The parts of the path below the home page."""
    parts = [part.lower() for part in urlsplit(url).path.split("/") if part]
    if parts and _LANGUAGE.fullmatch(parts[0]):
        parts = parts[1:]
    return [] if len(parts) == 1 and parts[0] in _HOME_NAMES else parts
