"""Pages that stand before most others: consent, age, region, login, maintenance."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.commands import called
from tests.helpers.crawl_results import crawl, images, summary
from tests.helpers.crawl_shop import Reply, Shop

CONSENT = '<h1>Your privacy</h1><form method="post">{}</form><img src="/logo.png"><a href="/terms">x</a>'
MAINTENANCE = '<title>Back soon</title><p>Sorry, request {} at {}</p><img src="/logo.png">'

PRODUCTS = [f"/p/gp{number}" for number in range(6)]
CATEGORIES = ["/c/ruby/1", "/c/red/1"]

Wall = Callable[[str, int], Reply]


class WalledShop(Shop):
    """Some of its paths are behind a wall, unless the cookie `passes` is sent."""

    def __init__(self, wall: Wall, hidden: list[str], passes: str = "\0"):
        super().__init__(rate=500)
        self.wall, self.hidden, self.passes = wall, hidden, passes

    def _reply(self, path: str, headers: dict[str, str]) -> Reply:
        reply = super()._reply(path, headers)
        if path == "/consent":
            return Reply(200, CONSENT.format("x").encode(), {"Set-Cookie": "seen=1; Path=/"})
        if path in self.hidden and self.passes not in headers.get("cookie", ""):
            return self.wall(path, len(self.requests))
        return reply


def redirect(path: str, number: int) -> Reply:
    return Reply(302, headers={"Location": "/consent", "Set-Cookie": "seen=1; Path=/"})


def redirect_with_return(path: str, number: int) -> Reply:
    return Reply(302, headers={"Location": f"/consent?return={path}"})


def home(path: str, number: int) -> Reply:
    return Reply(302, headers={"Location": "/en/"})


def elsewhere(path: str, number: int) -> Reply:
    return Reply(302, headers={"Location": f"https://consent.test/?continue={path}"})


def in_place(path: str, number: int) -> Reply:
    token = f'<input name="csrf" value="{number:032x}"><a href="/consent?return={path}">Yes</a> {path}'
    return Reply(200, CONSENT.format(token).encode())


def maintenance(path: str, number: int) -> Reply:
    return Reply(
        200, MAINTENANCE.format(f"4bf92f3577b34da6a3ce929d{number:08x}", f"12:00:{number:02}").encode()
    )


def sold_out(path: str, number: int) -> Reply:
    return Reply(200, b"<title>Shop</title><p>This item is no longer available.")


WALLS = {
    "redirect": (redirect, "/consent"),
    "redirect with return": (redirect_with_return, "/consent"),
    "home": (home, "/en/"),
    "elsewhere": (elsewhere, "consent.test"),
    "in place": (in_place, "/p/gp"),
    "maintenance": (maintenance, "/p/gp"),
}


def run(folder: Path, shop: Shop, expect: int) -> str:
    done = called("gemscrape", "crawl", "--site", shop.site(folder), cwd=folder, expect=expect)
    output = done.stdout + done.stderr
    assert "Traceback" not in output and ("correct '" not in output or expect == 2)
    return output


def statuses(folder: Path) -> set[str]:
    return {row["status"] for row in images(folder).values()}


#: Each wall before some pages, and two of them before all of a kind.
BEFORE_SOME = [(name, PRODUCTS[:4]) for name in WALLS]
BEFORE_ALL = [
    (name, pages) for name in ("redirect", "in place") for pages in (PRODUCTS, CATEGORIES, ["/gems"])
]


@pytest.mark.parametrize(("name", "hidden"), [*BEFORE_SOME, ("redirect", PRODUCTS), ("in place", PRODUCTS)])
def test_a_wall_before_product_pages(tmp_path: Path, name: str, hidden: list[str]) -> None:
    reply, address = WALLS[name]
    with WalledShop(reply, hidden) as shop:
        shop.replies["/en/"] = [Reply(200, b"<h1>Welcome</h1>")]
        output = run(tmp_path, shop, expect=4)
        named = address if address == "consent.test" else f"http://{shop.host}{address}"
        assert named in output and "cookies = true" in output
        assert "Ruby" in output or len(hidden) == len(PRODUCTS)
        shop.hidden = []
        run(tmp_path, shop, expect=0)
        assert set(images(tmp_path)) == set(shop.images) and statuses(tmp_path) == {"ok"}


@pytest.mark.parametrize(("name", "hidden"), [*BEFORE_SOME, *BEFORE_ALL])
def test_a_wall_makes_nothing_gone(tmp_path: Path, name: str, hidden: list[str]) -> None:
    reply, _ = WALLS[name]
    with WalledShop(reply, []) as shop:
        shop.replies["/en/"] = [Reply(200, b"<h1>Welcome</h1>")]
        run(tmp_path, shop, expect=0)
        before = images(tmp_path)
        shop.hidden = hidden
        for _ in range(2):
            assert "cookies = true" in run(tmp_path, shop, expect=4)
            assert images(tmp_path) == before
        shop.hidden = []
        run(tmp_path, shop, expect=0)
        assert images(tmp_path) == before and summary(tmp_path)["downloaded"] == 0


@pytest.mark.parametrize("reply", [redirect, in_place])
def test_cookies_open_a_wall_that_asks_once(tmp_path: Path, reply: Wall) -> None:
    with WalledShop(reply, PRODUCTS, passes="seen=1") as shop:
        shop.replies["/gems"] = [Reply(200, shop._own_reply("/gems").body, {"Set-Cookie": "seen=1; Path=/"})]
        run(tmp_path, shop, expect=4)
        shop.settings = "cookies = true"
        run(tmp_path, shop, expect=0)
    assert statuses(tmp_path) == {"ok"}


def test_maintenance_of_everything(tmp_path: Path) -> None:
    with WalledShop(maintenance, ["/robots.txt", "/gems", *CATEGORIES, *PRODUCTS]) as shop:
        shop.replies["/gemscrape-asks-for-no-page"] = [maintenance("", 9)]
        assert "maintenance" in run(tmp_path, shop, expect=4)
        shop.hidden = []
        run(tmp_path, shop, expect=0)


@pytest.mark.parametrize("hidden", [PRODUCTS, CATEGORIES])
def test_a_store_that_lists_nothing_any_more(tmp_path: Path, hidden: list[str]) -> None:
    def closed(path: str, number: int) -> Reply:
        return Reply(200, f"<p>{path.replace('/', ' ')}: we restock.</p>".encode())

    with WalledShop(closed, []) as shop:
        run(tmp_path, shop, expect=0)
        before = images(tmp_path)
        shop.hidden = hidden
        for _ in range(2):
            assert "nothing any more" in run(tmp_path, shop, expect=4)
            assert images(tmp_path) == before
        shop.hidden = []
        assert crawl(tmp_path, shop)["ended"] == "finished"


@pytest.mark.parametrize("reply", [redirect, maintenance])
def test_a_wall_that_is_put_up_in_the_middle_of_a_crawl(tmp_path: Path, reply: Wall) -> None:
    with WalledShop(reply, []) as shop:
        run(tmp_path, shop, expect=0)
        before = images(tmp_path)
        own = Reply(200, shop._own_reply("/gems").body)
        shop.hidden, shop.replies["/gems"] = PRODUCTS[:2], [own, reply("/gems", 77)]
        assert "2 of 6 product pages " in run(tmp_path, shop, expect=4)
        assert images(tmp_path) == before
        shop.hidden = []
        shop.replies.clear()
        run(tmp_path, shop, expect=0)
        assert images(tmp_path) == before


def test_few_pages_behind_a_page_are_no_wall(tmp_path: Path) -> None:
    """Three of six products are sold out, and look alike."""
    with WalledShop(sold_out, []) as shop:
        run(tmp_path, shop, expect=0)
        shop.hidden = PRODUCTS[:3]
        run(tmp_path, shop, expect=0)
        gone = {path for path, row in images(tmp_path).items() if row["status"] == "gone"}
        assert gone & set(shop.images) == {path for path in shop.images if path[7] in "012"}


def test_a_wrong_selector_is_still_blamed_on_the_site_file(tmp_path: Path) -> None:
    with Shop() as shop:
        site = tmp_path / shop.site(tmp_path)
        site.write_text(site.read_text().replace('selector = "img"', 'selector = "img.none"'))
        done = called("gemscrape", "crawl", "--site", site.name, cwd=tmp_path, expect=2)
    assert "correct 'images'" in done.stderr and "cookies" not in done.stderr


def test_the_report_counts_what_a_wall_hides(tmp_path: Path) -> None:
    with WalledShop(redirect, PRODUCTS[:5]) as shop:
        run(tmp_path, shop, expect=4)
        missing = json.loads((tmp_path / "reports/crawl/shop.json").read_text())["missing"]
    (reason,) = missing["classes"]["Ruby"]["pages"]
    assert missing["images"] == 5 and f"http://{shop.host}/consent" in reason
