"""A host that blocks every crawl: the other ones are still read, and what is new is learned."""

import time
from pathlib import Path

import pytest

from tests.helpers.crawl_results import crawl, images, summary
from tests.helpers.crawl_shop import Reply, Shop, jpeg

HOUR = 3600.0


def later(patch: pytest.MonkeyPatch, hours: float) -> None:
    """Let the wall clock go on by so much."""
    now = time.time
    patch.setattr(time, "time", lambda: now() + hours * HOUR)


@pytest.fixture
def blocking(tmp_path: Path, shop: Shop) -> Shop:
    """A shop after a crawl that one of its images ended by a block."""
    shop.replies["/img/gp3-1.jpg"] = [Reply(429, headers={"Retry-After": "5000"})]
    assert crawl(tmp_path, shop, "concurrency = 1")["ended"] == "blocked"
    shop.requests.clear()
    return shop


def test_pages_are_read_again_after_a_night(
    tmp_path: Path, blocking: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path for path, row in images(tmp_path).items() if row["status"] == "ok"}
    blocking.images["/img/gp0-9.jpg"] = jpeg(9)
    for night in range(2):
        later(monkeypatch, 24)
        assert crawl(tmp_path, blocking, "concurrency = 1")["ended"] == "blocked"
        assert blocking.counts["/p/gp0"] == night + 1
        assert any("read again" in note for note in summary(tmp_path)["notes"])
    assert "/img/gp0-9.jpg" in images(tmp_path)
    assert not before & set(blocking.image_requests()), "stored ones are done"
    later(monkeypatch, 24)
    blocking.replies.clear()
    assert crawl(tmp_path, blocking)["ended"] == "finished"
    assert {row["status"] for row in images(tmp_path).values()} == {"ok"}


def test_pages_are_not_read_again_the_same_day(
    tmp_path: Path, blocking: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    later(monkeypatch, 6)
    crawl(tmp_path, blocking, "concurrency = 1")
    assert not blocking.counts["/p/gp0"]


def test_a_long_reading_is_resumed_however_long_it_takes(
    tmp_path: Path, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.replies["/p/gp5"] = [Reply(429, headers={"Retry-After": "5000"})]
    for _ in range(3):
        assert crawl(tmp_path, shop, "concurrency = 1")["ended"] == "blocked"
        later(monkeypatch, 24)
    shop.replies.clear()
    assert crawl(tmp_path, shop)["ended"] == "finished"
    assert shop.counts["/p/gp0"] == 1
