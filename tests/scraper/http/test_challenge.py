"""Challenge pages: how they are recognised, and that they block the crawl."""

from pathlib import Path

import pytest

from scraper.http.challenge import is_challenge
from scraper.http.transport import Response
from tests.helpers.crawl_results import crawl, images
from tests.helpers.crawl_shop import Reply, Shop


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
    response = Response("http://shop.test/x", 200, headers, body)
    assert is_challenge(response, instead_of_image=False) == for_page
    assert is_challenge(response, instead_of_image=True) == for_image


@pytest.mark.usefixtures("short_backoff")
def test_challenge_pages_instead_of_images_are_a_block(tmp_path: Path) -> None:
    page = b"<html><title>Just a moment...</title></html>"
    with Shop(products=4) as shop:
        shop.replies = {path: [Reply(200, page)] for path in shop.images}
        summary = crawl(tmp_path, shop)
        requests = sum(shop.image_requests().values())
    assert summary["ended"] == "blocked" and "a challenge page" in summary["block"]
    assert requests <= 8 * 6, "a few in a row end the crawl, over all threads together"
    assert {row["status"] for row in images(tmp_path).values()} == {"blocked"}
