"""Which link of a category page leads to the next one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.stores.document import Document
from scraper.stores.next_page import next_pages
from scraper.stores.page_links import PageLinks

SHOP = "http://shop.test"
BASE = f"{SHOP}/ruby/2"


def found(html: str, selector: str = "a.page", link: str = "") -> tuple[list[str], bool]:
    document = Document(BASE, f"<meta charset=utf-8>{html}".encode(), link=link)
    pages = next_pages(document, selector, PageLinks(BASE))
    return [url.removeprefix(f"{SHOP}/ruby/") for url in pages.urls], pages.declared


@pytest.mark.parametrize(
    ("previous", "following"),
    [
        ('<a class="page" href="1">x</a>', '<a class="page" rel="next" href="3">x</a>'),
        ('<a class="page" href="1">x</a>', '<a class="page" rel="nofollow NEXT" href="3">x</a>'),
        ('<a class="page" href="1">x</a>', '<a class="page" href="3">x</a><link rel="next" href="/ruby/3">'),
        ('<a class="page" href="1">x</a>', '<a class="page" href="3">Next page</a>'),
        ('<a class="page" href="1">x</a>', '<a class="page" href="3" aria-label="Next"></a>'),
        ('<a class="page" href="1">«</a>', '<a class="page" href="3"> » </a>'),
        ('<a class="page" href="1">Zurück</a>', '<a class="page" href="3">Weiter</a>'),
        ('<a class="page" href="1">Назад</a>', '<a class="page" href="3">Следующая</a>'),
    ],
)
def test_the_next_page_comes_first(previous: str, following: str) -> None:
    urls, declared = found(previous + following)
    assert urls[0] == "3" and declared


@pytest.mark.parametrize(
    "previous",
    [
        '<a class="page" href="1" rel="prev">x</a>',
        '<a class="page" href="1">« Previous</a>',
        '<a class="page" href="1">Prev</a>',
        '<a class="page pagination__prev" href="1">x</a>',
        '<a class="page pagePrev" href="1">x</a>',
        '<a class="page" href="1" aria-label="Previous page"><svg></svg></a>',
        '<a class="page" href="1" title="Go back">1</a>',
        '<a class="page" href="1"><i class="icon-prev"></i></a>',
        '<a class="page" href="1"><img alt="previous"></a>',
        '<ul><li class="previous"><a class="page" href="1">x</a></ul>',
        '<a class="page" href="1">&lsaquo;</a>',
        '<a class="page" href="1">上一页</a>',
    ],
)
def test_a_link_that_says_previous_is_skipped(previous: str) -> None:
    assert found(previous) == ([], False)
    assert found(f'{previous}<a class="page" href="3">x</a>') == (["3"], False)


@pytest.mark.parametrize(
    "link",
    [
        '<a class="page preview" href="3">x</a>',
        '<a class="page" href="3">Precious stones</a>',
        '<a class="page prevent-default background" href="3">x</a>',
        '<div class="prev-next"><a class="page" href="3">x</a></div>',
    ],
)
def test_other_words_are_no_hint(link: str) -> None:
    assert found(link) == (["3"], False)


def test_numbers_keep_their_order_and_the_page_itself_is_left_out() -> None:
    numbers = "".join(f'<a class="page" href="{n}">{n}</a>' for n in (1, 2, 3, 4))
    disabled = '<a class="page next disabled" href="#">Next</a>'
    assert found(numbers + disabled) == (["1", "3", "4"], False)
    assert found(f'<a class="page" href="1" rel="prev">1</a>{disabled}') == ([], False)


def test_the_selector_alone_decides_which_links_count() -> None:
    assert found('<a rel="next" href="3">Next</a>') == ([], False)
    assert found('<link rel="next" href="3">', "link[rel=next]") == (["3"], True)


@pytest.mark.heavy
@pytest.mark.parametrize("opening", ['<a class="page" href="/{}">', '<div class="page" href="/{}">', "<i>"])
def test_a_page_full_of_matches(opening: str) -> None:
    html = "".join(opening.format(n) for n in range(5_000)) + '<a class="page" href="3" rel="next">x</a>'
    assert len(found(html, ".page")[0]) <= 1_000


@pytest.mark.parametrize(
    ("link", "first"),
    [
        ('</ruby/3>; rel="next"', "3"),
        ('<1>; rel=prev, <http://shop.test/ruby/3>; title="x"; rel="last NEXT"', "3"),
        ("</style.css>; rel=preload; as=style", "1"),
        (",;<<>>rel=next=;", "1"),
    ],
)
def test_the_link_header(link: str, first: str) -> None:
    assert found('<a class="page" href="1">x</a><a class="page" href="3">x</a>', link=link)[0][0] == first


@given(st.text(alphabet='<>;,=" relnxtp/3', max_size=60))
def test_any_link_header_is_survived(link: str) -> None:
    found('<a class="page" href="3">x</a>', link=link)
