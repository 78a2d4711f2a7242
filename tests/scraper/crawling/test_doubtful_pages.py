"""Pages with status 200 that show nothing: trouble, a wall that was put up later, or really nothing."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.helpers.commands import called
from tests.helpers.crawl_results import images
from tests.helpers.crawl_shop import Reply, Shop

pytestmark = pytest.mark.usefixtures("short_backoff")

PRODUCTS = [f"/p/gp{number}" for number in range(6)]
SECOND_PAGES = ["/c/ruby/2", "/c/red/2"]


def html(text: str) -> Reply:
    return Reply(200, text.encode())


BUSY = html("<title>Busy</title><p>Too many requests, slow down")
LOGIN = html("<title>Login</title><h1>Please log in</h1>")
TO_LOGIN = Reply(302, headers={"Location": "/login"})
TROUBLE = {
    "empty": html(""),
    "white space": html(" \r\n\t"),
    "busy": BUSY,
    "in other words": html("<title>Shop</title><p>Hetkinen"),
    "cut off": html('<!doctype html><title>Gem</title><div class="gal'),
}


def run(folder: Path, shop: Shop, expect: int) -> str:
    done = called("gemscrape", "crawl", "--site", shop.site(folder), cwd=folder, expect=expect)
    return done.stdout + done.stderr


def gone(folder: Path, shop: Shop) -> set[str]:
    return {path for path, row in images(folder).items() if row["status"] == "gone"} & set(shop.images)


def let_a_day_pass(folder: Path) -> None:
    """As if all that the state knows were a day older."""
    with closing(sqlite3.connect(folder / ".cache/crawl/shop.sqlite")) as database, database:
        database.execute("UPDATE pages SET doubted = doubted - 86400")
        database.execute("UPDATE runs SET started = started - 86400, pages_read = pages_read - 86400")


@pytest.mark.parametrize("reply", TROUBLE.values(), ids=TROUBLE)
def test_trouble_in_place_of_a_page_is_asked_for_again(tmp_path: Path, reply: Reply) -> None:
    with Shop() as shop:
        shop.replies = {path: [reply, shop._own_reply(path)] for path in PRODUCTS[3:]}
        run(tmp_path, shop, expect=0)
        assert set(images(tmp_path)) == set(shop.images)
        assert [shop.counts[path] for path in PRODUCTS] == [1, 1, 1, 2, 2, 2]


@pytest.mark.parametrize("reply", TROUBLE.values(), ids=TROUBLE)
def test_trouble_that_stays_is_missing(tmp_path: Path, reply: Reply) -> None:
    with Shop() as shop:
        shop.replies = {path: [reply] for path in PRODUCTS[:2]}
        output = run(tmp_path, shop, expect=4)
        assert "2 of 10 images" in output and "correct '" not in output
        shop.replies.clear()
        run(tmp_path, shop, expect=0)
        assert set(images(tmp_path)) == set(shop.images)


@pytest.mark.parametrize("name", ["empty", "busy"])
def test_trouble_that_stays_makes_nothing_gone(tmp_path: Path, name: str) -> None:
    with Shop() as shop:
        run(tmp_path, shop, expect=0)
        before = images(tmp_path)
        shop.replies = {path: [TROUBLE[name]] for path in PRODUCTS[:2]}
        run(tmp_path, shop, expect=4 if name == "busy" else 0)  # what was listed holds, as after an HTTP 500
        assert images(tmp_path) == before
        shop.replies.clear()
        run(tmp_path, shop, expect=0)
        assert images(tmp_path) == before


@pytest.mark.parametrize("reply", [TROUBLE["empty"], TROUBLE["cut off"]])
def test_a_single_page_of_nothing_is_trouble(tmp_path: Path, reply: Reply) -> None:
    with Shop() as shop:
        shop.replies = {PRODUCTS[4]: [reply]}
        assert "1 of 11 images" in run(tmp_path, shop, expect=4)


def test_an_empty_start_page_is_trouble(tmp_path: Path) -> None:
    with Shop() as shop:
        shop.replies = {"/gems": [html("\n")]}
        output = run(tmp_path, shop, expect=4)
    assert "empty page" in output and "correct" not in output


@pytest.mark.parametrize("reply", [LOGIN, TO_LOGIN])
@pytest.mark.parametrize(
    "hidden", [PRODUCTS[4:], SECOND_PAGES, SECOND_PAGES[:1]], ids=["quota", "second pages", "one page"]
)
def test_a_login_before_some_pages(tmp_path: Path, hidden: list[str], reply: Reply) -> None:
    """The start page shows its categories as before."""
    with Shop(products=8) as shop:
        shop.replies = {path: [reply] for path in hidden} | {"/login": [LOGIN]}
        output = run(tmp_path, shop, expect=4)
        assert f"{len(hidden)} of " in output and "cookies = true" in output
        shop.replies.clear()
        run(tmp_path, shop, expect=0)
        assert set(images(tmp_path)) == set(shop.images)


def test_a_queue_counts(tmp_path: Path) -> None:
    with Shop() as shop:
        run(tmp_path, shop, expect=0)
        shop.replies = {
            path: [html(f"<title>Queue</title><p>You are number {4000 + n} of {n},{n}12.")]
            for n, path in enumerate(PRODUCTS[:3])
        }
        assert "3 of 6 product pages are the same page" in run(tmp_path, shop, expect=4)
        assert not gone(tmp_path, shop)


def test_products_without_a_photo(tmp_path: Path) -> None:
    """Their names differ by a number only; they have no attributes."""
    with Shop() as shop:
        run(tmp_path, shop, expect=0)
        shop.replies = {path: [html(f"<h1>Stone {path[3:]}</h1>")] for path in PRODUCTS[:2]}
        run(tmp_path, shop, expect=0)
        assert gone(tmp_path, shop) == {path for path in shop.images if path[7] in "01"}
        assert shop.counts[PRODUCTS[0]] == 3, "it said so twice"
        run(tmp_path, shop, expect=0)


def test_products_with_attributes_alone_are_products(tmp_path: Path) -> None:
    with Shop() as shop:
        shop.replies = {
            path: [html("<h1>Stone</h1><table><tr><th>Cut<td>oval</table>")] for path in PRODUCTS[:2]
        }
        run(tmp_path, shop, expect=0)


@pytest.mark.parametrize(
    ("hidden", "reply"),
    [
        (PRODUCTS[:4], html("<title>Gone</title><p>This item is no longer available.")),
        (["/c/red/1"], html("<title>Shop</title><p>No products found.")),
    ],
)
def test_what_says_that_it_is_gone_is_gone(tmp_path: Path, hidden: list[str], reply: Reply) -> None:
    with Shop() as shop:
        run(tmp_path, shop, expect=0)
        shop.replies = {path: [reply] for path in hidden}
        for _ in range(2):
            run(tmp_path, shop, expect=0)
        assert len(gone(tmp_path, shop)) == (8 if hidden[0].startswith("/p") else 0)


Answer = Callable[[str], Reply]


def bare(path: str) -> Reply:
    return html("<title>Shop</title><h1>Stones</h1>")


def home(path: str) -> Reply:
    return Reply(302, headers={"Location": "/en/"})


def sold_out(path: str) -> Reply:
    return html(f"<h1>{path[3:]}</h1><p>Sold out")


@pytest.mark.parametrize(
    ("answer", "hidden", "believed"),
    [
        (bare, PRODUCTS[:4], True),
        (home, PRODUCTS[:4], True),
        (sold_out, PRODUCTS, False),
        (bare, PRODUCTS, False),
        (lambda path: LOGIN, PRODUCTS[:4], False),
    ],
)
def test_what_is_believed_after_a_day(
    tmp_path: Path, answer: Answer, hidden: list[str], believed: bool
) -> None:
    with Shop() as shop:
        run(tmp_path, shop, expect=0)
        before = images(tmp_path)
        shop.replies = {path: [answer(path)] for path in hidden} | {"/en/": [html("<h1>Welcome</h1>")]}
        for _ in range(2):
            assert ("a day later" in run(tmp_path, shop, expect=4)) is (believed or answer is home)
        assert images(tmp_path) == before
        for _ in range(2):
            let_a_day_pass(tmp_path)
            run(tmp_path, shop, expect=0 if believed else 4)
        assert len(gone(tmp_path, shop)) == 2 * len(hidden) * believed
