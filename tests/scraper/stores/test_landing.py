"""Which URLs are those of a shop's home page or of its search."""

import pytest

from scraper.stores.landing import is_home, is_search


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/en",
        "/en/",
        "/EN/",
        "/no",
        "/uk/",
        "/de-ch/",
        "/de_CH",
        "/pt-BR/",
        "/en-gb/index.php",
        "/home",
    ],
)
def test_a_home_page_in_any_language(path: str) -> None:
    assert is_home(f"https://shop.test{path}")


@pytest.mark.parametrize(
    "path",
    [
        "/gp",
        "/p1",
        "/xx/",
        "/en/gp",
        "/en-xx/",
        "/gp-ch",
        "/de-ch-at",
        "/de-",
        "/ruby",
        "/?p=17",
        "/en/?id=3",
    ],
)
def test_another_page(path: str) -> None:
    assert not is_home(f"https://shop.test{path}")


@pytest.mark.parametrize(
    ("path", "search"),
    [("/search", True), ("/de/suche/", True), ("/en/?q=ruby", True), ("/gp?q=ruby", False), ("/ruby", False)],
)
def test_a_search(path: str, search: bool) -> None:
    assert is_search(f"https://shop.test{path}") is search
