"""Good stores whose pages are alike: no wall stands before them."""

from pathlib import Path

import pytest

from tests.helpers.commands import called
from tests.helpers.crawl_results import images
from tests.helpers.crawl_shop import Reply, Shop


class SmallShop(Shop):
    """The start page, and lists of products by category; `shown` are the images of each product."""

    def __init__(self, lists: list[list[str]], shown: dict[str, str]):
        super().__init__(products=3)
        cards = "".join(f'<a class="class" href="/c/{n}">Class {n}</a>' for n in range(len(lists)))
        self.replies = {"/gems": [self._html(cards)]}
        for number, products in enumerate(lists):
            links = "".join(f'<a class="product" href="{path}">x</a>' for path in products)
            self.replies[f"/c/{number}"] = [self._html(f"<h1>Class {number}</h1>{links}")]
        for path, image in shown.items():
            self.replies[path] = [self._html(f'<h1>{image[5:8]}</h1><a>Log in</a><img src="{image}">')]

    def _html(self, text: str) -> Reply:
        return Reply(200, (f"{'<p>Fine stones of all the world. ' * 20}" + text).encode())


A, B, C = "/img/gp0-1.jpg", "/img/gp1-1.jpg", "/img/gp2-1.jpg"
SHOPS = {
    "one of two products in three categories": (
        [["/c/0/a", "/c/0/b"], ["/c/1/a"], ["/c/2/a"]],
        {"/c/0/a": A, "/c/1/a": A, "/c/2/a": A, "/c/0/b": B},
    ),
    "variants": (
        [["/p/r/1", "/p/r/2", "/p/r/3", "/p/r/4", "/p/b", "/p/c"]],
        {**dict.fromkeys(["/p/r/1", "/p/r/2", "/p/r/3", "/p/r/4"], A), "/p/b": B, "/p/c": C},
    ),
    "one product in two categories": ([["/c/0/a"], ["/c/1/a"]], {"/c/0/a": A, "/c/1/a": A}),
    "empty categories": ([["/p/a"], [], []], {"/p/a": A}),
    "one empty category": ([["/p/a"], []], {"/p/a": A}),
}


@pytest.mark.parametrize("name", SHOPS)
def test_a_store_with_like_pages(tmp_path: Path, name: str) -> None:
    lists, shown = SHOPS[name]
    with SmallShop(lists, shown) as shop:
        for _ in range(2):
            called("gemscrape", "crawl", "--site", shop.site(tmp_path), cwd=tmp_path)
            assert {path for path, row in images(tmp_path).items() if row["path"]} == set(shown.values())


GATES = ["<h1>Are you 18?</h1><p>Confirm your age. Ref {}", "<h1>Tervetuloa</h1><p>{}"]


@pytest.mark.parametrize("gate", GATES)
@pytest.mark.parametrize("everywhere", [True, False])
def test_a_gate_of_a_store_that_was_never_read(tmp_path: Path, gate: str, everywhere: bool) -> None:
    with Shop() as shop:
        shop.replies = {"/gems": [Reply(200, gate.format(48151).encode())]}
        if everywhere:
            shop.replies["/gemscrape-asks-for-no-page"] = [Reply(200, gate.format(62342).encode())]
        done = called("gemscrape", "crawl", "--site", shop.site(tmp_path), cwd=tmp_path, expect=4)
    assert "cookies = true" in done.stderr and "may " in done.stderr
    assert everywhere or "'categories'" in done.stderr


def test_a_start_page_of_another_design(tmp_path: Path) -> None:
    with Shop() as shop:
        shop.replies = {"/gems": [Reply(200, b"<a href='/ruby'>Ruby</a> <a href='/red'>Red</a>")]}
        done = called("gemscrape", "crawl", "--site", shop.site(tmp_path), cwd=tmp_path, expect=2)
    assert "correct 'categories'" in done.stderr
