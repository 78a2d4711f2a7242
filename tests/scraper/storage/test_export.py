"""The tables of a crawl are replaced as a whole."""

from pathlib import Path

from tests.helpers.crawl_results import crawl
from tests.helpers.crawl_shop import Shop, jpeg


def test_read_only_files_are_replaced_never_edited(tmp_path: Path, shop: Shop) -> None:
    crawl(tmp_path, shop)
    table = tmp_path / "data/raw/shop/images.parquet"
    link = tmp_path / "cache-link"
    link.hardlink_to(table)
    link.chmod(0o444)
    content = link.read_bytes()
    shop.images["/img/gp0-1.jpg"] = jpeg(99)
    crawl(tmp_path, shop)
    assert link.read_bytes() == content != table.read_bytes()
