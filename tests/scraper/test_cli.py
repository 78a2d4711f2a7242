"""`gemscrape`: what its commands print."""

from pathlib import Path

import pytest

from scraper.stores.config import SITES
from tests.helpers.commands import called
from tests.helpers.crawl_shop import Shop
from tests.helpers.project import empty_project


def test_sites_lists_the_built_in_stores_outside_a_project(tmp_path: Path) -> None:
    output = called("gemscrape", "sites", cwd=tmp_path).stdout
    assert [line.split()[0] for line in output.splitlines()] == [
        "demo",
        "gempundit",
        "gempundit_published",
        "gems68",
    ]
    assert all("built in" in line for line in output.splitlines())


def test_sites_tells_the_own_sites_of_a_project(tmp_path: Path) -> None:
    empty_project(tmp_path)
    (tmp_path / "sites").mkdir()
    for name in ("demo", "mine"):
        (tmp_path / f"sites/{name}.toml").write_text((SITES / "demo.toml").read_text())
    output = called("gemscrape", "sites", cwd=tmp_path).stdout
    own = [line.split()[0] for line in output.splitlines() if line.split()[1] == "project"]
    assert own == ["demo", "mine"] and output.count("built in") == 3


@pytest.mark.parametrize(
    "arguments",
    [
        ("crawl", "--site", "demo"),
        ("plan", "--site", "demo"),
        ("status", "--site", "demo"),
        ("import", "--site", "own", "."),
        ("store",),
    ],
)
def test_commands_that_need_a_project_name_init(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = called("gemscrape", *arguments, cwd=tmp_path, expect=2)
    assert done.stderr.startswith(f"error: '{tmp_path}' is not a Gemscrape project") and not done.stdout
    assert "gemscrape init FOLDER" in done.stderr and not list(tmp_path.iterdir())


def test_a_list_is_planned_outside_a_project(tmp_path: Path, shop: Shop) -> None:
    (tmp_path / "list.csv").write_text("class,image_url\nRuby,http://cdn.test/a.jpg\n")
    plan = ("gemscrape", "plan", "--links", "list.csv")
    assert "1 link in 1 class" in called(*plan, "--site", "gempundit_published", cwd=tmp_path).stdout
    (tmp_path / "sites").mkdir()
    shop.site(tmp_path / "sites")
    assert "Unknown site 'shop'" in called(*plan, "--site", "shop", cwd=tmp_path, expect=2).stderr
    empty_project(tmp_path)
    assert "at 200 a second" in called(*plan, "--site", "shop", cwd=tmp_path).stdout
