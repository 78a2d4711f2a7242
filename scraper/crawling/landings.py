"""Where product URLs lead: stores redirect all URLs of a product to one, and sold products to a list."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from statistics import median

from scraper.http.urls import file_name

#: A page to which a category redirects more products than this is none of them: rings come in fewer sizes.
_MOST_VARIANTS = 10


class Landings:
    """The pages at which products were read, and the URLs that lead to each of them.

    A store names a product alike at each of its URLs; a *stranger* among the URLs that lead to a page is
    named otherwise than the page.
    """

    def __init__(self) -> None:
        self._strangers: defaultdict[str, set[str]] = defaultdict(set)
        self._links: dict[str, int] = {}

    def add(self, url: str, landing: str, product_links: int) -> None:
        """The page of the product at a URL was read at `landing`, and links to so many other products."""
        self._links[landing] = product_links
        if file_name(url).lower() != file_name(landing).lower():
            self._strangers[landing].add(url)

    def replaces_products(self, landing: str, categories: Mapping[str, Iterable[str]]) -> bool:
        """Whether a page stands for different products; `categories` are those that list each URL.

        It lists more than twice as many products as other product pages do, or a category has too many
        strangers that lead to it.
        """
        strangers = self._strangers.get(landing, set())
        if len(strangers) < 2:
            return False
        others = [links for page, links in self._links.items() if page != landing]
        usual = median(others) if others else 0
        by_category = Counter(category for url in strangers for category in categories.get(url, ()))
        return self._links[landing] > 2 * usual or max(by_category.values(), default=0) > _MOST_VARIANTS
