"""Statistics of image links."""

from scraper.crawling.link_stats import LinkStatistics
from scraper.stores.records import Link


def test_counts_of_links() -> None:
    listed = {"Opal": "abb", "Fire Opal": "bc", "Ruby": "bd"}
    statistics = LinkStatistics(
        Link(name, f"http://cdn.test/{image}.jpg", image if image in "ab" else None)
        for name, images in listed.items()
        for image in images
    )
    assert (statistics.links, statistics.distinct, statistics.in_several_classes) == (7, 4, 1)
    assert (statistics.products, statistics.images_of_products) == ({"a", "b"}, 2)
    assert statistics.pairs() == {("Fire Opal", "Opal"): 1, ("Fire Opal", "Ruby"): 1, ("Opal", "Ruby"): 1}
    counts = [(count.name, count.links, count.distinct, count.exclusive) for count in statistics.by_class()]
    assert counts == [("Fire Opal", 2, 2, 1), ("Opal", 3, 2, 1), ("Ruby", 2, 2, 1)]
