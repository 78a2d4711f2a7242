"""The links of one page: those that are followed, and why the others are not."""

from collections import Counter
from collections.abc import Iterable

from scraper.http.urls import LinkFault, resolve

#: Links of one kind that are followed from one page: the largest pages of shops have some hundreds.
MAX_LINKS = 10_000


class PageLinks:
    """Makes keys of the links on the page at `base`; `left_out` counts those without one."""

    def __init__(self, base: str):
        self.base = base
        self.left_out: Counter[LinkFault] = Counter()

    def key(self, link: str, strip_query: bool = False) -> str | None:
        """The key of a link, or None; a link without any text is none, and is not counted."""
        if not link.strip():
            return None
        key = resolve(link, self.base, strip_query)
        if not isinstance(key, LinkFault):
            return key
        self.left_out[key] += 1
        return None

    def keys(self, links: Iterable[str], strip_query: bool = False) -> list[str]:
        """The keys of the links, each once."""
        found: dict[str, None] = {}
        for link in links:
            if len(found) == MAX_LINKS:
                self.left_out[LinkFault.TOO_MANY] += 1
            elif (key := self.key(link, strip_query)) is not None:
                found[key] = None
        return list(found)
