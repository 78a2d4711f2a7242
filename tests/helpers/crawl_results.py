"""What a crawl left behind: its summary, its table rows, its files."""

import hashlib
import json
from pathlib import Path
from typing import Any

from gemkit.project import Project
from gemkit.tables import read_table
from scraper.crawling.crawl import crawl as crawl_site
from scraper.params import StoreParams
from scraper.stores.config import load_site
from scraper.tables import IMAGES
from tests.helpers.crawl_shop import Shop


def crawl(folder: Path, shop: Shop, limits: str = "", **params: bool) -> dict[str, Any]:
    """Crawl the shop to the end, in this process, with `params` of the store; returns the summary."""
    site = load_site(folder / shop.site(folder, limits))
    crawl_site(Project(folder), site, StoreParams(**params))
    return summary(folder)


def summary(folder: Path, site: str = "shop") -> dict[str, Any]:
    """What the last crawl did and took."""
    return dict(json.loads((folder / f"reports/crawl/{site}.json").read_text()))


def crawl_counts(folder: Path, site: str = "shop") -> dict[str, Any]:
    """What is known of the site: the file in `metrics/`."""
    return dict(json.loads((folder / f"metrics/crawl/{site}.json").read_text()))


def images(folder: Path, site: str = "shop") -> dict[str, dict[str, Any]]:
    """The rows of images.parquet by the path of their URL."""
    rows = read_table(folder / f"data/raw/{site}/images.parquet", IMAGES).to_pylist()
    return {"/" + row["image_url"].split("/", 3)[3]: row for row in rows}


def check_files(folder: Path, site: str = "shop") -> None:
    """Every stored file is complete, named by its content, and in the table; there are no other files."""
    rows = [row for row in images(folder, site).values() if row["path"]]
    for row in rows:
        content = (folder / "data/raw" / site / row["path"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == row["sha256"]
        assert len(content) == row["bytes"]
    found = {path for path in (folder / "data/raw" / site / "images").rglob("*") if path.is_file()}
    assert found == {folder / "data/raw" / site / row["path"] for row in rows}
