"""Shops whose images need what a browser sends after a visit of their page: its address, or its cookie."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.commands import signal_when, start
from tests.helpers.crawl_results import crawl, images
from tests.helpers.crawl_shop import Reply, Shop


class GuardedShop(Shop):
    """Serves images only to requests whose Referer or Cookie header contains `needed`."""

    header, needed = "referer", "/p/gp"

    def _reply(self, path: str, headers: dict[str, str]) -> Reply:
        reply = super()._reply(path, headers)
        if path.startswith("/img/") and self.needed not in headers.get(self.header, ""):
            return Reply(403)
        if self.header == "cookie" and path.startswith(("/p/", "/gems")):
            reply.headers = {**reply.headers, "Set-Cookie": "visit=ruby; Path=/; HttpOnly"}
        return reply


@pytest.fixture(params=["referer", "cookie"])
def guarded(request: pytest.FixtureRequest) -> Iterator[GuardedShop]:
    with GuardedShop(products=2, rate=100) as shop:
        if request.param == "cookie":
            shop.header, shop.needed = "cookie", "visit=ruby"
        yield shop


SETTINGS = {"referer": 'referer = "page"', "cookie": "cookies = true"}


def statuses(folder: Path) -> set[str]:
    return {row["status"] for row in images(folder).values()}


@pytest.mark.usefixtures("short_backoff")
def test_images_that_need_a_visit_are_fetched_with_the_setting_alone(
    tmp_path: Path, guarded: GuardedShop
) -> None:
    crawl(tmp_path, guarded)
    assert "ok" not in statuses(tmp_path)
    sent = {name for _, _, headers in guarded.requests for name in headers}
    assert not sent & {"referer", "cookie"}, "nothing is sent unless the site file says so"


@pytest.mark.parametrize("moved", [False, True])
def test_images_that_need_a_visit(tmp_path: Path, guarded: GuardedShop, moved: bool) -> None:
    guarded.settings = SETTINGS[guarded.header]
    if moved:  # each hop carries what the first one did
        guarded.replies["/img/gp0-1.jpg"] = [Reply(302, headers={"Location": "/img/gp1-1.jpg"})]
    crawl(tmp_path, guarded)
    assert statuses(tmp_path) == {"ok"} and len(images(tmp_path)) == 4
    for _, path, headers in guarded.requests:
        if path.startswith("/img/") and guarded.header == "referer" and not moved:
            assert headers["referer"] == f"http://{guarded.host}/p/{path[5:8]}"
        assert path != "/robots.txt" or not {"referer", "cookie"} & headers.keys()


def test_a_resumed_crawl_gets_the_cookie_again(tmp_path: Path) -> None:
    with GuardedShop(products=12, rate=40) as shop:
        shop.header, shop.needed, shop.settings = "cookie", "visit=ruby", SETTINGS["cookie"]
        process = start("gemscrape", "crawl", "--site", shop.site(tmp_path), cwd=tmp_path)
        signal_when(process, lambda: len(shop.image_requests()) > 3, signal.SIGINT)
        crawl(tmp_path, shop)
    assert statuses(tmp_path) == {"ok"} and len(images(tmp_path)) == 24
