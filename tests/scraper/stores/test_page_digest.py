"""Two pages that say the same have the same digest, others do not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.stores.document import Document
from scraper.stores.page_digest import page_digest

BASE = "<title>Shop</title><h1>Your privacy</h1><a href='/terms'>Terms</a>{}"


def digest(html: str, path: str = "/p/gp1") -> str:
    url = f"https://shop.test{path}"
    return page_digest(Document(url, html.encode("utf-8", "replace")), url)


@pytest.mark.parametrize(
    "other",
    [
        "<input name=csrf value=8f14e45fceea167a>",
        "<script>var nonce = '8f14e45f'</script><!-- served by web7 -->",
        "<a href='/consent?return=%2Fp%2Fgp2'></a><a href='/consent?x'></a>",
        "<p>4bf92f3577b34da6a3ce929d0e0e4736</p> 12:31",
        "<p>/p/gp2</p><a href='/login/next/p/gp2'></a>",
        "<a href='/login/aHR0cHM6Ly9zaG9wLnRlc3Q5/'></a>",
    ],
)
def test_what_differs_by_the_request_is_disregarded(other: str) -> None:
    plain = "<a href='/consent'></a><a href='/consent'></a>" if "consent" in other else ""
    plain = "<a href='/login/'></a>" if "aHR0" in other else plain
    assert digest(BASE.format(other), "/p/gp2") == digest(BASE.format(plain))


@pytest.mark.parametrize(
    "other", ["Ruby", "1.2 ct", "GP112443", "<img src='/img/gp1.jpg'>", "<a href='/p/gp7'></a>", "上一"]
)
def test_what_a_page_says_counts(other: str) -> None:
    assert digest(BASE.format(other)) != digest(BASE.format(""))


@given(st.text())
def test_any_page_has_a_digest(text: str) -> None:
    assert len(digest(text)) == 16


def test_numbers_are_left_out_unless_their_text_names_the_page() -> None:
    assert digest("<p>You are number 4312.", "/p/ruby-1") == digest("<p>You are number 77.", "/p/ruby-2")
    assert digest("<h1>Ruby 1</h1>", "/p/ruby-1.html") != digest("<h1>Ruby 2</h1>", "/p/ruby-2.html")
    assert digest("<h1>Stone 0-3</h1>", "/p/0-3") != digest("<h1>Stone 0-4</h1>", "/p/0-4")
