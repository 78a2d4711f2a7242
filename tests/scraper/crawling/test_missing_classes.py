"""A class of which nothing was ever fetched is missing, whatever the reason, unless the store wants it so."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.commands import called
from tests.helpers.crawl_results import summary
from tests.helpers.crawl_shop import Reply, Shop

RED = [0, 2, 4]  # in a class of their own here


@pytest.fixture
def split() -> "Shop":
    """The even products are in the class Red stones alone."""
    shop = Shop(products=6)
    odd = "".join(f'<a class="product" href="/p/gp{n}">x</a>' for n in (1, 3, 5))
    shop.replies["/c/ruby/1"] = [Reply(200, odd.encode())]
    return shop


def run(folder: Path, shop: Shop, expect: int) -> str:
    done = called("gemscrape", "crawl", "--site", shop.site(folder), cwd=folder, expect=expect)
    return done.stdout + done.stderr


def images(shop: Shop, reply: Reply) -> None:
    shop.replies |= {path: [reply] for path in shop.images if int(path[7]) in RED}


def pages(shop: Shop, reply: Reply) -> None:
    shop.replies |= {f"/p/gp{n}": [reply] for n in RED}


def category(shop: Shop, reply: Reply) -> None:
    shop.replies["/c/red/1"] = [reply]


@pytest.mark.parametrize(
    ("damage", "reply", "word"),
    [
        (images, Reply(403), "6 images (HTTP 403)"),
        (images, Reply(404), "6 images (HTTP 404)"),
        (images, Reply(200, b"\0\0\0\x18ftypheic" + bytes(400)), "6 images (no image)"),
        (pages, Reply(403), "3 pages (HTTP 403)"),
        (pages, Reply(404), "3 pages (HTTP 404)"),
        (pages, Reply(302, headers={"Location": "/gems"}), "3 pages ("),
        (pages, Reply(200, b"<h1>A new design</h1>"), "3 pages ("),
        (category, Reply(403), "1 page (HTTP 403)"),
    ],
)
def test_a_class_without_anything_is_missing(
    tmp_path: Path, split: Shop, damage: Callable[[Shop, Reply], None], reply: Reply, word: str
) -> None:
    with split as shop:
        damage(shop, reply)
        output = run(tmp_path, shop, expect=4)
        assert "1 of 2 classes" in output and f"  Red stones: {word}" in output and "  Ruby" not in output
        assert summary(tmp_path)["missing"]["missing_classes"] == ["Red stones"]


@pytest.mark.parametrize(("damage", "status"), [(images, 404), (images, 403), (pages, 404)])
def test_a_class_that_was_fetched_once_is_not_missing(
    tmp_path: Path, split: Shop, damage: Callable[[Shop, Reply], None], status: int
) -> None:
    with split as shop:
        run(tmp_path, shop, expect=0)
        damage(shop, Reply(status))
        run(tmp_path, shop, expect=0)


@pytest.mark.parametrize("where", ["images", "pages"])
def test_a_class_that_opts_out_is_named(tmp_path: Path, split: Shop, where: str) -> None:
    refusal = {"X-Robots-Tag": "noai"}
    with split as shop:
        if where == "images":
            shop.replies |= {p: [Reply(200, c, refusal)] for p, c in shop.images.items() if int(p[7]) in RED}
        else:
            pages(shop, Reply(200, b"<img src=/img/gp0-1.jpg>", refusal))
        output = run(tmp_path, shop, expect=0)
    assert "refused     1 class" in output and "  Red stones: " in output


def test_the_referer_is_named_where_a_host_refuses_most_images(tmp_path: Path) -> None:
    with Shop(products=2) as shop:
        shop.replies = {path: [Reply(403)] for path in shop.images}
        output = run(tmp_path, shop, expect=4)
        assert "2 of 2 classes" in output and "'referer = \"page\"' in the file of the site 'shop'" in output
        shop.settings = 'referer = "page"'
        assert "referer" not in run(tmp_path, shop, expect=4)


def test_few_refused_images_are_not_missing(tmp_path: Path, shop: Shop) -> None:
    shop.replies = {path: [Reply(403)] for path in list(shop.images)[:2]}
    assert "referer" not in run(tmp_path, shop, expect=0)


def test_a_category_without_products_is_named(tmp_path: Path, split: Shop) -> None:
    """It may be empty: only the store knows."""
    with split as shop:
        category(shop, Reply(200, b'<a class="item" href="/p/gp0">x</a>'))
        output = run(tmp_path, shop, expect=0)
    assert "the class 'Red stones' lists no product: unless it is empty in the store" in output
    assert "check 'products' in the file of the site 'shop'" in output and "'Ruby'" not in output


def test_a_class_whose_products_show_no_image_is_named(tmp_path: Path, split: Shop) -> None:
    with split as shop:
        for n, name in zip(RED, ("Moonlit pear", "A Burmese oval", "Old mine cushion"), strict=True):
            shop.replies[f"/p/gp{n}"] = [Reply(200, f"<h1>{name}</h1><p>A new design</p>".encode())]
        output = run(tmp_path, shop, expect=4)
    assert "'Red stones' shows no image on 3 product pages: check 'images' in the file" in output


def test_a_single_product_without_an_image_is_only_named(tmp_path: Path, split: Shop) -> None:
    with split as shop:
        category(shop, Reply(200, b'<a class="product" href="/p/gp0">x</a>'))
        shop.replies["/p/gp0"] = [Reply(200, b"<h1>No picture yet</h1>")]
        assert "shows no image on 1 product page:" in run(tmp_path, shop, expect=0)


def test_pages_whose_images_are_stored_are_not_counted_as_images(tmp_path: Path) -> None:
    with Shop(products=6) as shop:
        run(tmp_path, shop, expect=0)
        pages(shop, Reply(200, b"<h1>Sold out</h1>"))
        shop.replies |= {f"/p/gp{n}": [Reply(200, f"<h1>{n} is sold out</h1>".encode())] for n in range(6)}
        output = run(tmp_path, shop, expect=4)
        missing = summary(tmp_path)["missing"]
    assert (missing["images"], missing["known"], missing["missing_classes"]) == (0, 12, [])
    assert "6 pages with known images could not be fetched" in output
