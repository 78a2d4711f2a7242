"""Several URLs that lead to one page: those of one product, or those of products that the store replaced."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from gemkit.project import Project
from gemkit.tables import read_table
from scraper.crawling.crawl import crawl as crawl_site
from scraper.stores.config import load_site
from scraper.tables import PRODUCTS
from tests.helpers.crawl_results import crawl, images
from tests.helpers.crawl_shop import Reply, Shop

CATEGORIES = {"/c/ruby/1": "Ruby", "/c/red/1": "Red stones"}


def listed(urls: Iterable[str]) -> Reply:
    return Reply(200, "".join(f'<a class="product" href="{url}">x</a>' for url in urls).encode())


def moved(target: str) -> Reply:
    return Reply(301, headers={"Location": target})


def products(folder: Path) -> list[dict[str, Any]]:
    return list(read_table(folder / "data/raw/shop/products.parquet", PRODUCTS).to_pylist())


@pytest.mark.parametrize("shared", [1, 3, 6])
@pytest.mark.parametrize("related", [0, 5])
def test_the_urls_of_a_product_in_each_category_are_one_product(
    tmp_path: Path, shared: int, related: int
) -> None:
    """As Magento, PrestaShop and others link their products, also with related ones on each page."""
    with Shop(products=6) as shop:
        shop.replies["/c/ruby/1"] = [listed(f"/ruby/p/gp{n}" for n in range(6))]
        shop.replies["/c/red/1"] = [listed(f"/red/p/gp{n}" for n in range(shared))]
        for n in range(6):
            others = "".join(f'<a class="product" href="/p/gp{m}">x</a>' for m in range(related))
            page = f'{others}<img src="/img/gp{n}-1.jpg"><img src="/img/gp{n}-2.jpg">'
            shop.replies[f"/p/gp{n}"] = [Reply(200, page.encode())]
            for category in ("ruby", "red"):
                shop.replies[f"/{category}/p/gp{n}"] = [moved(f"/p/gp{n}")]
        for _ in range(2):
            summary = crawl(tmp_path, shop)
            assert summary["ended"] == "finished" and summary["images"] == {"ok": 12}
    for path, row in images(tmp_path).items():
        both = int(path[7]) < shared
        assert row["store_classes"] == (["Red stones", "Ruby"] if both else ["Ruby"])
        assert len(row["product_ids"]) == 1
    assert {row["product_id"] for row in products(tmp_path)} == {f"gp{n}" for n in range(6)}


def test_a_product_without_an_id_has_one_address(tmp_path: Path) -> None:
    with Shop(products=4) as shop:
        shop.replies |= {
            path: [listed([f"{path}/gp0", *(f"/p/gp{n}" for n in range(1, 4))])] for path in CATEGORIES
        }
        shop.replies |= {f"{path}/gp0": [moved("/p/gp0")] for path in CATEGORIES}
        site = tmp_path / shop.site(tmp_path)
        site.write_text(site.read_text().replace("id = {", "# "))
        crawl_site(Project(tmp_path), load_site(site))
        assert images(tmp_path)["/img/gp0-1.jpg"]["product_ids"] == [f"http://{shop.host}/p/gp0"]
        found = {(row["product_id"], row["store_class"]) for row in products(tmp_path)}
        assert found == {
            (f"http://{shop.host}/p/gp{n}", name) for n in range(4) for name in CATEGORIES.values()
        }


def test_variants_that_a_category_lists_lead_to_their_product(tmp_path: Path) -> None:
    with Shop(products=9) as shop:
        urls = [*(f"/p/gp0/size-{size}" for size in range(4)), *(f"/p/gp{n}" for n in range(1, 9))]
        shop.replies |= {path: [listed(urls)] for path in CATEGORIES}
        shop.replies |= {f"/p/gp0/size-{size}": [moved("/p/gp0")] for size in range(4)}
        assert crawl(tmp_path, shop)["images"] == {"ok": 18}


@pytest.mark.parametrize("gone", [2, 3])
def test_products_that_lead_to_a_list_of_others_are_gone(tmp_path: Path, gone: int) -> None:
    """No category of the start page is that list."""
    with Shop(products=9) as shop:
        crawl(tmp_path, shop)
        news = listed(f"/p/gp{n}" for n in range(4, 9))
        shop.replies["/news"] = [Reply(200, news.body + b'<img src="/img/gp5-1.jpg">')]
        shop.replies |= {f"/p/gp{n}": [moved("/news")] for n in range(gone)}
        crawl(tmp_path, shop)
    rows = images(tmp_path)
    lost = {path for path, row in rows.items() if row["status"] == "gone"}
    assert lost == {path for path in rows if int(path[7]) < gone}
    assert rows["/img/gp5-1.jpg"]["product_ids"] == ["gp5"]


def test_very_many_products_that_lead_to_one_page_are_gone(tmp_path: Path) -> None:
    with Shop(products=30) as shop:
        shop.replies |= {f"/p/gp{n}": [moved("/sorry")] for n in range(12)}
        shop.replies |= {"/c/ruby/1": [listed(f"/p/gp{n}" for n in range(30))], "/c/red/1": [listed([])]}
        shop.replies["/sorry"] = [Reply(200, b'<img src="/img/gp29-1.jpg">')]
        crawl(tmp_path, shop)
    assert images(tmp_path)["/img/gp29-1.jpg"]["product_ids"] == ["gp29"]
