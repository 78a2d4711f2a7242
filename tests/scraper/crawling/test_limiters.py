"""Limiters of every kind, whatever they answer: all good images are stored, and no URL pays for our speed."""

from collections.abc import Callable, Iterable
from pathlib import Path
from time import monotonic
from typing import Protocol

import pytest

from benchmarks.crawling._broken_shop import BrokenShop, Served, serve
from benchmarks.crawling._faulty_host import CUT, RESET, Answer, LimitReq, http
from tests.helpers.broken_crawls import crawl, stored
from tests.helpers.crawl_results import images
from tests.helpers.slow import others_slow

LIMITS = "requests_per_second = 40\ntimeout_seconds = 2\nattempts = 2"

BUSY = b"<!doctype html><title>Busy</title><p>Please come back later."

#: What a limiter, or a broken URL, answers instead of `good`.
REFUSALS: dict[str, Callable[[Answer], Answer]] = {
    "403": lambda good: [http(status=403)],
    "429": lambda good: [http(status=429)],
    "500": lambda good: [http(status=500)],
    "503": lambda good: [http(status=503)],
    "reset": lambda good: [RESET],
    "cut off": lambda good: [b"".join(part for part in good if isinstance(part, bytes))[:-20], CUT],
    "empty": lambda good: [http()],
    "a page": lambda good: [http(BUSY, Content_Type="text/html")],
    "to a 503": lambda good: [http(status=302, Location="/busy")],
    "to a page": lambda good: [http(status=302, Location="/ok-but-busy")],
}


class Limiter(Protocol):
    def refuses(self) -> bool: ...


class Window:
    """So many requests in each window of so many seconds, which begins with a request."""

    def __init__(self, requests: int, seconds: float):
        self.requests, self.seconds = requests, seconds
        self.began, self.count = float("-inf"), 0

    def refuses(self) -> bool:
        if monotonic() - self.began >= self.seconds:
            self.began, self.count = monotonic(), 0
        self.count += 1
        return self.count > self.requests


class OneAtATime:
    """nginx's `limit_conn 1`, for answers that take so many seconds."""

    def __init__(self, seconds: float):
        self.seconds, self.until = seconds, float("-inf")

    def refuses(self) -> bool:
        if monotonic() < self.until:
            return True
        self.until = monotonic() + self.seconds
        return False


def limit(
    served: Served, limiter: Limiter | None, way: str, broken: Iterable[str] = (), seconds: float = 0.0
) -> None:
    """Let a limiter refuse images, which take so many seconds; some are `broken` in the same way."""
    whole, bad = served.cdn.answer, set(broken)

    def answer(path: str) -> Answer:
        if path == "/busy":
            return [http(status=503)]
        if path == "/ok-but-busy":
            return [http(BUSY, Content_Type="text/html")]
        good = whole(path)
        refused = limiter is not None and limiter.refuses()
        return REFUSALS[way](good) if refused or path in bad else [seconds, *good]

    served.cdn.answer = answer


@pytest.mark.parametrize("way", others_slow(REFUSALS, "403", "to a 503"))
def test_a_limiter_by_rate_loses_nothing_whatever_it_answers(tmp_path: Path, way: str) -> None:
    with serve(BrokenShop(32)) as served:
        limit(served, LimitReq(20), way)
        crawl(tmp_path, served, limits=LIMITS, expect=0)
        assert stored(tmp_path) == set(served.shop.images)


@pytest.mark.parametrize("way", others_slow(("403", "429", "500", "503"), "403"))
def test_a_limiter_of_connections_loses_nothing_and_is_no_block(tmp_path: Path, way: str) -> None:
    with serve(BrokenShop(24)) as served:
        limit(served, OneAtATime(0.05), way, seconds=0.05)
        crawl(tmp_path, served, limits=LIMITS, expect=0)
        assert stored(tmp_path) == set(served.shop.images)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["403", "429", "503", "a page"])
def test_a_limiter_that_counts_in_windows_loses_nothing(tmp_path: Path, way: str) -> None:
    with serve(BrokenShop(60)) as served:
        limit(served, Window(20, 4.0), way)
        crawl(tmp_path, served, limits=LIMITS, expect=0)
        assert stored(tmp_path) == set(served.shop.images)


@pytest.mark.slow
def test_connections_reset_above_a_fifth_of_our_rate_lose_nothing(tmp_path: Path) -> None:
    with serve(BrokenShop(40)) as served:
        limit(served, LimitReq(8), "reset")
        crawl(tmp_path, served, limits=LIMITS, expect=0)
        assert stored(tmp_path) == set(served.shop.images)


@pytest.mark.parametrize("way", others_slow(("429", "503", "empty", "a page", "to a 503"), "429"))
def test_broken_urls_that_answer_as_limiters_do_end_no_crawl(tmp_path: Path, way: str) -> None:
    shop = BrokenShop(24)
    broken = shop.images[::4]
    with serve(shop) as served:
        limit(served, None, way, broken)
        for _ in range(2):
            crawl(tmp_path, served, limits=LIMITS, expect=4)
            assert stored(tmp_path) == set(shop.images) - set(broken)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["429", "503"])
def test_a_limiter_and_broken_urls_with_the_same_answer_are_told_apart(tmp_path: Path, way: str) -> None:
    shop = BrokenShop(54)
    with serve(shop) as served:
        limit(served, LimitReq(20), way, shop.images[:14])
        crawl(tmp_path, served, limits=LIMITS, expect=4)
        assert stored(tmp_path) == set(shop.images[14:])


def test_urls_that_are_forbidden_for_good_are_no_block(tmp_path: Path) -> None:
    shop = BrokenShop(24)
    with serve(shop) as served:
        limit(served, None, "403", shop.images[::4])
        crawl(tmp_path, served, limits=LIMITS, expect=0)
        assert stored(tmp_path) == set(shop.images) - set(shop.images[::4])


@pytest.mark.usefixtures("short_backoff", "short_pauses")
@pytest.mark.parametrize("way", ["403", "429"])
def test_a_ban_is_one_though_a_cache_still_serves_what_it_has(tmp_path: Path, way: str) -> None:
    with serve(BrokenShop(75)) as served:
        whole, cached = served.cdn.answer, set[str]()

        def answer(path: str) -> Answer:
            if path in served.shop.images and path not in cached and len(cached) == 30:
                return REFUSALS[way](whole(path))
            cached.add(path)
            return whole(path)

        served.cdn.answer = answer
        done = crawl(tmp_path, served, limits=LIMITS, expect=3)
        assert f"blocked us (HTTP {way})" in done.stderr
        assert len(stored(tmp_path)) >= 29


def test_a_challenge_page_is_one_whatever_its_status(tmp_path: Path) -> None:
    page = b"<!DOCTYPE html><title>Just a moment...</title>"
    with serve(BrokenShop(12)) as served:
        whole, bad = served.cdn.answer, served.shop.images[3]
        served.cdn.answer = lambda path: (
            [http(page, 403, Content_Type="text/html")] if path == bad else whole(path)
        )
        crawl(tmp_path, served, limits=LIMITS, expect=4)
        assert images(tmp_path)[bad]["reason"] == "a challenge page"
