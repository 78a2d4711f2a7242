"""What a page without products says in words."""

import pytest

from scraper.stores.document import Document
from scraper.stores.page_words import saying

MENU = "<nav>" + "<a href='/x'>Stones and rings</a> " * 40 + "<a href='/login'>Log in</a></nav>"


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p>This item is no longer available.", "gone"),
        ("<p>SOLD\n OUT!", "gone"),
        ("<p>Nothing in stock.", "gone"),
        ("<p>Leider ausverkauft", "gone"),
        ("<p>Cet article n'est plus disponible", "gone"),
        (f"{MENU}<p>No products were found; sold out", "gone"),
        ("<p>Too many requests, slow down", "wall"),
        ("<h1>Are you 18?</h1><p>Please confirm your age", "wall"),
        ("<h1>Anmeldung</h1><form><input type='PASSWORD'></form>", "wall"),
        ("<p>Not found<form><input type=password></form>", "wall"),
        (MENU, ""),
        ("<h1>Ruby</h1><p>A fine stone", ""),
        ("<script>'sold out, log in'</script><h1>Ruby</h1>", ""),
        ("<p>A wholesold outfit, a catalogin", ""),
        ("", ""),
    ],
)
def test_words(html: str, expected: str) -> None:
    assert saying(Document("http://shop.test/p/1", html.encode())) == expected
