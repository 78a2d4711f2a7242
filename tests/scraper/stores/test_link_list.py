"""Lists of image links: how they are read, and how a site of them is crawled."""

import gzip
import shutil
import signal
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gemkit.errors import UserError
from gemkit.tables import read_table
from scraper.crawling.crawl import crawl_site
from scraper.params import StoreParams
from scraper.stores.config import LinkFile, load_site
from scraper.stores.link_list import read_links
from scraper.stores.records import Link
from scraper.tables import PRODUCTS
from tests.helpers.commands import ROOT, command, signal_when, start
from tests.helpers.crawl_results import check_files, images, summary
from tests.helpers.crawl_shop import Reply, Shop
from tests.helpers.link_sites import links_site, listed

A, B = "http://cdn.test/gp1-1.jpg", "http://cdn.test/gp1-2.jpg"


@pytest.fixture
def shop() -> Iterator[Shop]:
    with Shop() as shop:
        yield shop


def crawl(folder: Path, site: str = "shop.toml") -> dict[str, Any]:
    """Crawl to the end, in this process; the summary."""
    with chdir(folder):
        crawl_site(load_site(site), StoreParams())
    return summary(folder)


def products(folder: Path) -> list[dict[str, Any]]:
    return read_table(folder / "data/raw/shop/products.parquet", PRODUCTS).to_pylist()


def written(folder: Path, content: bytes, name: str = "list.csv") -> LinkFile:
    (folder / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return LinkFile(links=folder / name)


@pytest.mark.parametrize("name", ["list.csv", "list.csv.gz"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_list_is_read_whatever_wrote_it(tmp_path: Path, name: str, end: str) -> None:
    lines = [
        '\ufeffnote,"image_url", class ,price',
        f'"nice, but\nused",{A}, Ruby  (Manik) ,7',
        "",
        ',HTTP://CDN.test:80/gp1-2.jpg#x,"Opal ""white"" ✨",',
        f"x,{B},Ruby (Manik)",
    ]
    found = read_links(written(tmp_path, end.join(lines).encode(), name))
    assert found.links == [Link("Ruby (Manik)", A), Link('Opal "white" ✨', B), Link("Ruby (Manik)", B)]
    assert found.notes == []


def test_lines_that_cannot_be_used_are_counted_and_named(tmp_path: Path) -> None:
    lines = [
        b"class,image_url",
        b"Ruby," + A.encode(),
        b"Ruby",
        b"," + A.encode(),
        b"Ruby,",
        b"Ruby,javascript:alert(1)",
        b"R\xfcby," + A.encode(),
        b"Ruby,http://cdn.test/a,b.jpg",
        b"Ruby,ftp://cdn.test/a.jpg",
        b'Ruby,"http://cdn.test/never-closed.jpg',
        b"Opal," + B.encode(),
        b"Ruby," + b"x" * 200_000,
        b"Opal," + A.encode(),
    ]
    file = written(tmp_path, b"\n".join(lines))
    found = read_links(file)
    assert [link for link in found.links if "never" not in link.image_url] == [
        Link("Ruby", A), Link("Opal", B), Link("Opal", A),
    ]  # fmt: skip
    said = "\n".join(found.notes)
    for part in (
        "lines left out with too few cells: 2, the first is line 3",
        "lines left out without a class: 1, the first is line 4",
        "lines left out without an image URL: 1, the first is line 5",
        "lines left out whose URL is no http or https address: 2, the first is line 6",
        "lines left out not in UTF-8: 1, the first is line 7",
        "lines left out with too many cells: 1, the first is line 8",
    ):
        assert part in said, said
    assert len(found.notes) == 6 and all(str(file.links) in note for note in found.notes)


def test_one_quote_too_many_swallows_no_lines(tmp_path: Path) -> None:
    lines = ["class,image_url,note", f'Ruby,{A},"5 inch'] + [
        f"Opal,http://cdn.test/{n}.jpg," for n in range(99)
    ]
    for last in ('Ruby,http://cdn.test/z.jpg,"6 inch', f"Ruby,{B},"):
        found = read_links(written(tmp_path, "\n".join([*lines, last]).encode()))
        assert len(found.links) == 101 and found.notes == []


@given(
    st.lists(
        st.sampled_from([b"Ruby", A.encode(), b",", b'"', b"\n", b"\r", b"\xff", b"\0", b" ", b"http://["])
    )
)
@example([b"\0", b",", A.encode()])
def test_whatever_a_list_holds_it_is_read_or_refused(parts: list[bytes]) -> None:
    with TemporaryDirectory() as folder:
        file = written(Path(folder), b"class,image_url\n" + b"".join(parts))
        try:
            found = read_links(file)
        except UserError as error:
            assert "holds no usable link" in str(error)
        else:
            assert all(link.store_class and link.image_url.isascii() for link in found.links)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "has no column 'class' in its first line \\(found nothing\\)"),
        ("a.csv", b"class;image_url\nRuby;http://x/y", "no column 'class'.*'class;image_url'"),
        ("a.csv", b"class,url\nRuby,http://x/y", "no column 'image_url'"),
        ("a.csv", "class,image_url\nRuby,http://x/y".encode("utf-16"), "no column 'class'"),
        ("a.csv", b"class,image_url\n", "holds no usable link"),
        ("a.csv", b"class,image_url\nRuby,\n", "no usable link; .*: lines left out without an image URL: 1"),
        ("a.csv.gz", b"class,image_url\nRuby,http://x/y", "damaged or cut off"),
        (
            "a.csv.gz",
            gzip.compress(b"class,image_url\n" + b"Ruby,http://x/y\n" * 999, mtime=0)[:-20],
            "damaged or cut off",
        ),
        ("b.csv", None, "does not exist"),
        ("folder.csv", None, "cannot be read: Is a directory"),
    ],
)
def test_a_list_that_cannot_be_read(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    (tmp_path / "folder.csv").mkdir()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message) as error:
        read_links(LinkFile(links=tmp_path / name))
    assert str(tmp_path / name) in str(error.value) and "\n" not in str(error.value)
    assert str(error.value).isprintable()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('links = "lists/shop.csv"', "", "the key 'links' is missing"),
        ('"links"', '"list"', "'kind' must be one of html, links"),
        ('title = "Shop"', 'title = "Shop"\npage_hosts = ["x.test"]', "unknown key 'page_hosts'"),
        ('title = "Shop"', 'title = "Shop"\nclass_colunm = "a"', "unknown key 'class_colunm'"),
        ('title = "Shop"', 'title = "Shop"\nimage_column = 3', "'image_column'"),
        ('read = "url"', 'read = "css"', "'product.id.read'"),
        ("'/(gp\\d+)-'", "'/gp'", "'product.id.pattern': needs a group"),
    ],
)
def test_a_wrong_site_of_links_is_refused_by_key(
    tmp_path: Path, shop: Shop, old: str, new: str, message: str
) -> None:
    path = tmp_path / links_site(tmp_path, shop, [])
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(UserError) as error:
        load_site(str(path))
    assert message in str(error.value) and str(path) in str(error.value)


def test_a_list_is_crawled(tmp_path: Path, shop: Shop) -> None:
    extra = [("Ruby", "/img/gone.jpg"), ("Ruby", "/img/certificate.jpg"), ("", "/img/gp1-1.jpg")]
    shop.photos["/img/certificate.jpg"] = shop.photos["/img/gp0-1.jpg"]
    links_site(tmp_path, shop, listed(shop) + extra)
    with (tmp_path / "lists/shop.csv").open("a") as file:
        file.write("Ruby,http://evil.example/gp9-1.jpg\n")
    numbers = crawl(tmp_path)
    rows = images(tmp_path)
    check_files(tmp_path)
    assert (numbers["ended"], numbers["distinct"], numbers["downloaded"]) == ("finished", 15, 13)
    assert numbers["notes"] == ["'lists/shop.csv': lines left out without a class: 1, the first is line 27"]
    assert max(shop.image_requests().values()) == 1
    assert set(shop.counts) == {*shop.photos, "/img/gone.jpg", "/robots.txt"}
    first, alone = rows["/img/gp0-1.jpg"], rows["/img/certificate.jpg"]
    assert (first["store_classes"], first["product_ids"]) == (["Red stones", "Ruby"], ["gp0"])
    assert (alone["store_classes"], alone["product_ids"], alone["page_urls"]) == (["Ruby"], [], [])
    assert rows["/img/gone.jpg"]["status"] == "gone"
    assert rows["/gp9-1.jpg"]["reason"] == "host evil.example is not allowed"
    expected = [(f"gp{n}", name) for n in range(6) for name in (["Red stones"] if n < 2 else []) + ["Ruby"]]
    assert [(row["product_id"], row["store_class"]) for row in products(tmp_path)] == [
        *expected,
        ("gp9", "Ruby"),
    ]
    assert {row["page_url"] for row in products(tmp_path)} == {None}


def test_a_list_that_changed_is_followed(tmp_path: Path, shop: Shop) -> None:
    links_site(tmp_path, shop, listed(shop))
    crawl(tmp_path)
    shop.asked.clear()
    shop.photos["/img/gp7-1.jpg"] = shop.photos["/img/gp0-1.jpg"]
    links_site(tmp_path, shop, [("Opal", path) for path in shop.photos if path != "/img/gp5-1.jpg"])
    numbers = crawl(tmp_path)
    rows = images(tmp_path)
    assert (numbers["added"], numbers["changed"], numbers["unchanged"]) == (1, 0, 11)
    asked = [headers for _, path, headers in shop.asked if path not in ("/robots.txt", "/img/gp7-1.jpg")]
    assert len(asked) == 11 and all("if-none-match" in headers for headers in asked)
    gone = rows["/img/gp5-1.jpg"]
    assert (gone["status"], gone["reason"], gone["store_classes"]) == ("gone", "no longer listed", ["Ruby"])
    assert gone["gone_at"] and (tmp_path / "data/raw/shop" / gone["path"]).exists()
    assert rows["/img/gp0-1.jpg"]["store_classes"] == ["Opal"]
    assert {(row["product_id"], row["store_class"]) for row in products(tmp_path)} == {
        *((f"gp{n}", "Opal") for n in (0, 1, 2, 3, 4, 5, 7)), ("gp5", "Ruby"),
    }  # fmt: skip


def test_a_lost_state_is_made_again(tmp_path: Path, shop: Shop) -> None:
    links_site(tmp_path, shop, listed(shop))
    crawl(tmp_path)
    before = images(tmp_path), products(tmp_path)
    shutil.rmtree(tmp_path / ".cache")
    assert crawl(tmp_path)["downloaded"] == 0
    assert (images(tmp_path), products(tmp_path)) == before


def test_kill_9_loses_only_what_was_in_flight(tmp_path: Path) -> None:
    with Shop(products=15, rate=60) as shop:
        site = links_site(tmp_path, shop, listed(shop))
        process = start("gemscrape", "crawl", "--site", site, cwd=tmp_path)
        signal_when(process, lambda: len(shop.asked) >= 12, signal.SIGKILL)
        assert shop.image_requests().total() < 30
        crawl(tmp_path)
        assert shop.image_requests().total() - 30 <= 4
        assert len(images(tmp_path)) == 30
        check_files(tmp_path)


def test_columns_and_queries_are_as_the_site_says(tmp_path: Path, shop: Shop) -> None:
    more = 'class_column = "stone"\nimage_column = "photo"\nstrip_query = true'
    links_site(tmp_path, shop, [], more)
    url = f"http://{shop.host}/img/gp1-1.jpg"
    (tmp_path / "lists/shop.csv").write_text(f"photo,class,stone\n{url}?w=9,x,Ruby\n{url}?w=8,y,Garnet\n")
    crawl(tmp_path)
    assert images(tmp_path)["/img/gp1-1.jpg"]["store_classes"] == ["Garnet", "Ruby"]
    assert shop.image_requests() == {"/img/gp1-1.jpg": 1}


def test_what_is_wrong_with_the_list_is_said_in_one_sentence(tmp_path: Path, shop: Shop) -> None:
    site = links_site(tmp_path, shop, [])
    done = command("gemscrape", "crawl", "--site", site, cwd=tmp_path, expect=2)
    assert done.stderr.startswith("error: 'lists/shop.csv' holds no") and done.stderr.count("\n") == 1
    assert not shop.asked


def test_a_list_that_cannot_be_read_makes_nothing_gone(tmp_path: Path, shop: Shop) -> None:
    links_site(tmp_path, shop, listed(shop))
    crawl(tmp_path)
    (tmp_path / "lists/shop.csv").write_text("class,image_url\n")
    with pytest.raises(UserError):
        crawl(tmp_path)
    assert {row["status"] for row in images(tmp_path).values()} == {"ok"}


def test_a_site_of_links_may_be_a_stage(tmp_path: Path, shop: Shop) -> None:
    """Named in the parameters, its files beside those of the other sites."""
    shutil.copytree(ROOT / "scraper", tmp_path / "code/scraper", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "gemkit", tmp_path / "code/gemkit", ignore=shutil.ignore_patterns("__pycache__"))
    links_site(tmp_path / "code/scraper/sites", shop, listed(shop))
    (tmp_path / "params.yaml").write_text("sites: [shop]\ncrawl:\n  shop: {}\n")
    command("gemscrape", "crawl", "--site", "shop", cwd=tmp_path, PYTHONPATH=str(tmp_path / "code"))
    assert len(images(tmp_path)) == 12
    said = command("gemscrape", "sites", cwd=tmp_path, PYTHONPATH=str(tmp_path / "code")).stdout
    assert "shop.csv" in said


def test_robots_and_blocks_hold_for_lists_too(tmp_path: Path) -> None:
    with Shop(robots="User-agent: *\nDisallow: /img/gp0-1\n") as shop:
        shop.replies["/img/gp3-1.jpg"] = [Reply(429, headers={"Retry-After": "5000"})]
        site = links_site(tmp_path, shop, listed(shop))
        done = command("gemscrape", "crawl", "--site", site, cwd=tmp_path, expect=3)
        assert "turned us away" in done.stderr
        assert "/img/gp0-1.jpg" not in shop.counts
        assert images(tmp_path)["/img/gp3-1.jpg"]["status"] == "blocked"
