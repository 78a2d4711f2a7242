"""Images of which something is missing: they are asked for again, and said to be missing."""

from pathlib import Path

import pytest

from benchmarks.crawling._broken_shop import BrokenShop, serve
from benchmarks.crawling._faulty_host import Answer, http
from tests.helpers.broken_crawls import crawl, stored
from tests.helpers.crawl_results import images, summary

#: What comes instead of a whole image, and the reason that the tables give.
FORMS = {"truncated": "truncated", "empty": "empty", "a page": "HTML instead of an image"}


def part(form: str, good: bytes) -> bytes:
    body = good.partition(b"\r\n\r\n")[2]
    return {"truncated": body[: len(body) * 2 // 3], "empty": b"", "a page": b"<html>Busy</html>"}[form]


@pytest.mark.parametrize("form", FORMS)
def test_an_image_that_was_incomplete_once_is_stored(tmp_path: Path, form: str) -> None:
    shop = BrokenShop(12)
    with serve(shop) as served:
        whole, hurt, seen = served.cdn.answer, set(shop.images[::5]), set[str]()

        def answer(path: str) -> Answer:
            first, good = path in hurt - seen, whole(path)
            seen.add(path)
            return [http(part(form, bytes(good[0])))] if first else good  # type: ignore[arg-type]

        served.cdn.answer = answer
        crawl(tmp_path, served, expect=0)
    assert stored(tmp_path) == set(shop.images)


@pytest.mark.parametrize("form", FORMS)
def test_an_image_that_stays_incomplete_is_missing_until_it_is_whole(tmp_path: Path, form: str) -> None:
    shop = BrokenShop(12)
    with serve(shop) as served:
        whole, hurt = served.cdn.answer, shop.images[3]

        def answer(path: str) -> Answer:
            return [http(part(form, bytes(whole(path)[0])))] if path == hurt else whole(path)  # type: ignore[arg-type]

        served.cdn.answer = answer
        crawl(tmp_path, served, expect=4)
        row = images(tmp_path)[hurt]
        assert (row["status"], row["reason"]) == ("invalid", FORMS[form])
        assert served.cdn.counts[hurt] >= 2, "it was asked for again"
        assert summary(tmp_path)["missing"]["images"] == 1
        served.cdn.answer = whole
        crawl(tmp_path, served, expect=0)
    assert stored(tmp_path) == set(shop.images)
