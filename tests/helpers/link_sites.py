"""Sites that are a link list."""

from pathlib import Path

from tests.helpers.crawl_shop import Shop
from tests.helpers.project import empty_project


def links_site(folder: Path, shop: Shop, lines: list[tuple[str, str]], more: str = "") -> str:
    """Write a list of (class, path) and the site file that uses it into a folder, which becomes a project.

    Returns the name of the site file.
    """
    empty_project(folder)
    (folder / "lists").mkdir(exist_ok=True)
    text = "".join(f"{name},http://{shop.host}{path}\n" for name, path in lines)
    (folder / "lists/shop.csv").write_text("class,image_url\n" + text)
    (folder / "shop.toml").write_text(
        f"""
kind = "links"
title = "Shop"
links = "lists/shop.csv"
image_hosts = ["{shop.host}"]
contact = "me@example.org"
{more}
[limits]
requests_per_second = {shop.rate}
timeout_seconds = 2
[product]
id = {{ read = "url", pattern = '/(gp\\d+)-' }}
"""
    )
    return "shop.toml"


def listed(shop: Shop) -> list[tuple[str, str]]:
    """All images in two classes, some in both, every third line twice."""
    lines = [("Ruby", path) for path in shop.images] + [
        ("Red stones", path) for path in list(shop.images)[:4]
    ]
    return lines + lines[::3]
