"""Parse a page's HTML into a tree of bounded depth and size, in time linear in the page's length."""

from typing import Any

from bs4 import BeautifulSoup
from bs4.builder._lxml import LXMLTreeBuilder

from gemkit.errors import GemscrapeError

#: Elements nested more deeply become siblings, as in browsers (Chromium nests at most 512).
_MAX_DEPTH = 128

#: Elements open at a time, and how many of them are passed in the search for those that end tags close:
#: for an end tag without an element, libxml2 looks through all that are open.
_MAX_OPEN, _MAX_PASSED = 6_000, 500_000_000

#: Characters that are parsed at a time.
_CHUNK = 65_536

#: Elements of a page, and nodes right below one of them; the largest pages of shops have a tenth of that.
_MAX_ELEMENTS, _MAX_CHILDREN = 200_000, 20_000


class TooComplex(GemscrapeError):
    """A page has far more elements, or more unclosed ones, than the page of a shop."""

    kind = "too_complex"


class _Builder(LXMLTreeBuilder):
    """Builds the tree while lxml reads the page; keeps its depth, and ends the reading of an endless one."""

    opened = unclosed = passed = 0

    def feed(self, markup: str | bytes) -> None:
        """See LXMLTreeBuilder. Raises TooComplex."""
        html = markup if isinstance(markup, str) else markup.decode()
        parser: Any = self.parser_for(None)
        for start in range(0, len(html) or 1, _CHUNK):
            chunk = html[start : start + _CHUNK]
            self.passed += self.unclosed * chunk.count("</")
            if self.passed > _MAX_PASSED:
                raise TooComplex("The page leaves too many elements open")
            parser.feed(chunk)
        parser.close()

    def start(
        self,
        tag: str | bytes,
        attrib: dict[str | bytes, str | bytes],
        nsmap: dict[str, str] | None = None,
    ) -> None:
        """See LXMLTreeBuilder. Raises TooComplex."""
        soup = self.soup
        assert soup is not None
        if len(soup.tagStack) > _MAX_DEPTH:
            soup.endData()
            soup.popTag()
        self.opened, self.unclosed = self.opened + 1, self.unclosed + 1
        siblings = len(soup.currentTag.contents) if soup.currentTag else 0
        if self.opened > _MAX_ELEMENTS or self.unclosed > _MAX_OPEN or siblings > _MAX_CHILDREN:
            raise TooComplex("The page has too many elements")
        super().start(tag, attrib, nsmap or {})

    def end(self, tag: str | bytes) -> None:
        """See LXMLTreeBuilder."""
        self.unclosed -= 1
        super().end(tag)


def parse_tree(html: str) -> BeautifulSoup:
    """The tree of a page. Raises TooComplex."""
    return BeautifulSoup(html, builder=_Builder())
