"""What a store says about the use of its pictures, and pages that ask for a person."""

from contextlib import chdir
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemkit.errors import UserError
from gemkit.tables import read_table
from scraper.crawling.crawl import crawl_site
from scraper.http.challenge import is_challenge
from scraper.http.opt_out import content_signal_objection, x_robots_objection
from scraper.http.transport import Answer
from scraper.monitoring.summary import Summary
from scraper.params import StoreParams
from scraper.stores.config import load_site
from scraper.tables import IMAGES
from tests.helpers.crawl_shop import Reply, Shop


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ("", None),
        ("all", None),
        ("noai", "noai"),
        ("NoImageAI, nofollow", "noimageai"),
        ("nofollow, noindex", "noindex"),
        ("none", "none"),
        ("gemscrape: noindex", "noindex"),
        ("otherbot: noindex", None),
        ("otherbot: noindex, noai", "noai"),
        ("unavailable_after: 25 Jun 2030 15:00:00 PST, noimageindex", "noimageindex"),
        ("max-image-preview: none", None),
        ("noarchive", None),
    ],
)
def test_x_robots_tag(value: str, rule: str | None) -> None:
    assert x_robots_objection(value, "gemscrape") == (rule and f"X-Robots-Tag: {rule}")


@pytest.mark.parametrize(
    ("robots", "objects"),
    [
        ("", False),
        ("User-agent: *\nDisallow: /cart", False),
        ("User-agent: *\nContent-Signal: search=yes, ai-train=no\nAllow: /", True),
        ("User-agent: *\ncontent-signal: AI-TRAIN=NO # not for models", True),
        ("User-agent: *\nContent-Signal: ai-train=yes", False),
        ("User-agent: otherbot\nContent-Signal: ai-train=no\n\nUser-agent: *\nAllow: /", False),
        ("User-agent: otherbot\nUser-agent: GemScrape\nContent-Signal: ai-train=no", True),
        ("User-agent: gemscrape\nAllow: /\n\nUser-agent: *\nContent-Signal: ai-train=no", False),
        ("Content-Signal: ai-train=no", True),
    ],
)
def test_content_signal(robots: str, objects: bool) -> None:
    assert content_signal_objection(robots, "gemscrape") == (
        "Content-Signal: ai-train=no" if objects else None
    )


@given(st.text(), st.text())
def test_any_text_is_read(header: str, robots: str) -> None:
    x_robots_objection(header, "gemscrape")
    content_signal_objection(robots, "gemscrape")


@pytest.mark.parametrize(
    ("headers", "body", "for_page", "for_image"),
    [
        ({}, b"", False, False),
        ({"cf-mitigated": "challenge"}, b"", True, True),
        ({"x-amzn-waf-action": "captcha"}, b"", True, True),
        ({}, b"<html><head><TITLE> Just a moment...</TITLE></head></html>", True, True),
        ({}, b"<html><title>Pardon Our Interruption</title></html>", True, True),
        ({}, b"<script>window._cf_chl_opt={}</script>", True, True),
        ({}, b"<html><title>Ruby</title><div class='g-recaptcha'></div></html>", False, False),
        ({}, b"<html><title>Ruby</title><p>Are you a robot?</p></html>", False, True),
        ({}, b"<html><title>Not found</title></html>", False, False),
        ({}, b"\xff\xd8\xff captcha", False, False),
    ],
)
def test_challenge_pages(headers: dict[str, str], body: bytes, for_page: bool, for_image: bool) -> None:
    answer = Answer("http://shop.test/x", 200, headers, body)
    assert is_challenge(answer, instead_of_image=False) == for_page
    assert is_challenge(answer, instead_of_image=True) == for_image


def crawl(folder: Path, shop: Shop, **params: bool) -> Summary:
    with chdir(folder):
        return crawl_site(load_site(shop.site(folder)), StoreParams(**params))


def statuses(folder: Path) -> dict[str, tuple[str, str | None]]:
    rows = read_table(folder / "data/raw/shop/images.parquet", IMAGES).to_pylist()
    return {row["file_name"]: (row["status"], row["reason"]) for row in rows}


def test_a_picture_that_says_no_is_refused_unless_that_is_switched_off(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Shop(products=2) as shop:
        body = shop.photos["/img/gp0-1.jpg"]
        shop.replies["/img/gp0-1.jpg"] = [Reply(200, body, {"X-Robots-Tag": "noimageai"})]
        crawl(tmp_path, shop)
        assert statuses(tmp_path)["gp0-1.jpg"] == ("refused", "X-Robots-Tag: noimageai")
        assert statuses(tmp_path)["gp0-2.jpg"] == ("ok", None)
        summary = crawl(tmp_path, shop, heed_x_robots_tag=False)
        assert statuses(tmp_path)["gp0-1.jpg"] == ("ok", None)
    assert any("crawl.shop.heed_x_robots_tag is false" in note for note in summary.notes)
    assert "crawl.shop.heed_x_robots_tag is false" in capsys.readouterr().err, "in the log from its start"


def test_a_store_against_training_is_left_alone_unless_that_is_switched_off(tmp_path: Path) -> None:
    with Shop(products=2, robots="User-agent: *\nContent-Signal: ai-train=no\n") as shop:
        with pytest.raises(UserError, match="Content-Signal: ai-train=no"):
            crawl(tmp_path, shop)
        assert set(shop.counts) == {"/robots.txt"}
        summary = crawl(tmp_path, shop, heed_content_signal=False)
        assert summary.added == 4
    assert any("crawl.shop.heed_content_signal is false" in note for note in summary.notes)


def test_challenge_pages_instead_of_images_are_a_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scraper.http.rate_limiter._TURNED_AWAY_SECONDS", 0.01)
    page = b"<html><title>Just a moment...</title></html>"
    with Shop(products=4) as shop:
        shop.replies = {path: [Reply(200, page)] for path in shop.photos}
        summary = crawl(tmp_path, shop)
        asked = sum(shop.image_requests().values())
    assert summary.ended == "blocked" and "a challenge page" in summary.block
    assert asked <= 8 * 6, "a row of them ends the crawl, all threads together"
    assert {status for status, _ in statuses(tmp_path).values()} == {"blocked"}


def test_robots_txt_is_asked_for_again_after_a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scraper.http.robots._FRESH_SECONDS", 0.2)
    with Shop(products=6, rate=40) as shop:
        crawl(tmp_path, shop)
        assert 2 <= shop.counts["/robots.txt"] <= 6
