"""The demo store: consistent ground truth, reproducible photos, a server that behaves like real ones."""

import http.client
import io
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError

from gemkit.errors import UserError
from scraper.demo_store import pages
from scraper.demo_store.catalogue import COPIES, EDITS, MORE_KINDS, Catalogue, Photo, build
from scraper.demo_store.rate_limit import RateLimit
from scraper.demo_store.render import photo_bytes, render_pixels
from scraper.demo_store.rendering.varieties import VARIETIES
from scraper.demo_store.server import RunningStore, open_store, start
from tests.helpers.project import SCALE, SEED


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return build(SEED, SCALE)


@pytest.fixture(scope="module")
def full() -> Catalogue:
    return build(SEED, 1.0)


@pytest.fixture(scope="module")
def store(rendered: Path) -> Iterator[RunningStore]:
    with start(SEED, SCALE, rate_limit=RateLimit(rate=10_000, burst=1_000), cache=rendered) as running:
        yield running


@dataclass
class Response:
    status: int
    headers: dict[str, str]
    content: bytes


def fetch(store: RunningStore, host: str, path: str, **headers: str) -> Response:
    connection = http.client.HTTPConnection(store.host, store.port, timeout=10)
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request("GET", path, headers={"Host": host, **names})
    response = connection.getresponse()
    try:
        return Response(response.status, dict(response.getheaders()), response.read())
    finally:
        connection.close()


def fetch_with_retry(store: RunningStore, host: str, path: str) -> Response:
    """Fetch, with one retry when the first request gets one of the store's faults."""
    try:
        response = fetch(store, host, path)
    except http.client.IncompleteRead:
        return fetch(store, host, path)
    return fetch(store, host, path) if response.status == 503 else response


def first(catalogue: Catalogue, kind: str) -> Photo:
    return next(photo for photo in catalogue.photos if photo.kind == kind)


def test_a_class_has_60_to_220_usable_photos() -> None:
    counts = Counter(photo.variety for photo in build(1, 1.0).photos if photo.usable)
    assert len(counts) >= 8
    assert min(counts.values()) >= 64
    assert max(counts.values()) <= 220
    assert counts == {variety.name: variety.photos for variety in VARIETIES}


def test_the_catalogue_depends_on_its_seed_alone() -> None:
    assert build(3, 0.3, 2.0) == build(3, 0.3, 2.0)
    assert build(3, 0.3).photos != build(4, 0.3).photos


def test_the_dirt_factor_scales_only_the_dirt() -> None:
    usual, dirty = (Counter(photo.kind for photo in build(2, 1.0, dirt).photos) for dirt in (1.0, 4.0))
    assert dirty["stone"] == usual["stone"]
    for kind in ("certificate", "hand", "near_duplicate", *MORE_KINDS):
        assert dirty[kind] == 4 * usual[kind] > 0


@pytest.mark.parametrize(("seed", "scale"), [(1, 1.0), (9, SCALE)])
def test_the_ground_truth_is_consistent(seed: int, scale: float) -> None:
    catalogue = build(seed, scale)
    assert len(catalogue.by_path) == len(catalogue.photos)
    for photo in catalogue.photos:
        assert photo.product_ids
        assert all(photo.path in catalogue.products[product].photos for product in photo.product_ids)
        assert (photo.copy_of is not None) == (photo.kind in COPIES)
        assert photo.usable == (photo.kind in ("stone", "stock") and not photo.conflict)
        if photo.copy_of:
            original = catalogue.by_path[photo.copy_of]
            assert (original.stone, original.view, original.usable) == (photo.stone, photo.view, True)
        if photo.kind == "stock":
            assert len(photo.product_ids) > 3
        else:
            assert len(photo.product_ids) == 1
        if photo.conflict:
            assert catalogue.products[photo.product_ids[0]].store_classes == ("Ruby", "Red Spinel")
    listed = {product for ids in catalogue.classes.values() for product in ids}
    assert listed == set(catalogue.products)


@pytest.mark.heavy
def test_rendering_is_reproducible(catalogue: Catalogue) -> None:
    for kind in ("stone", "certificate", "hand", "near_duplicate", "watermark", "no_stone", "size_chart"):
        photo = first(catalogue, kind)
        assert photo_bytes(photo) == photo_bytes(photo)


def test_photos_match_the_ground_truth(catalogue: Catalogue) -> None:
    with Image.open(io.BytesIO(photo_bytes(first(catalogue, "stone")))) as stone:
        assert stone.format == "JPEG"
        assert all(400 <= side <= 800 for side in stone.size)
    with Image.open(io.BytesIO(photo_bytes(first(catalogue, "tiny")))) as tiny:
        assert tiny.size == (60, 60)
    copy = first(catalogue, "exact_duplicate")
    assert copy.copy_of
    assert photo_bytes(copy) == photo_bytes(catalogue.by_path[copy.copy_of])
    near = first(catalogue, "near_duplicate")
    assert near.copy_of
    assert photo_bytes(near) != photo_bytes(catalogue.by_path[near.copy_of])
    with (
        Image.open(io.BytesIO(photo_bytes(first(catalogue, "truncated")))) as truncated,
        pytest.raises(OSError),
    ):
        truncated.load()


def test_defective_photos_are_unusable(catalogue: Catalogue) -> None:
    def levels(kind: str) -> np.ndarray:
        return cv2.cvtColor(render_pixels(first(catalogue, kind)), cv2.COLOR_RGB2GRAY)

    stone = levels("stone")
    assert levels("dark").mean() < 40 < stone.mean() < 240 < levels("bright").mean()
    detail = {
        kind: cv2.Canny(cv2.medianBlur(levels(kind), 5), 60, 120).mean() for kind in ("stone", "blurred")
    }
    assert detail["blurred"] < detail["stone"] / 4
    assert np.ptp(cv2.blur(levels("blank"), (15, 15))) < 130


def test_banners_are_wide_and_half_of_the_printed_matter_has_telling_names(full: Catalogue) -> None:
    for photo in [photo for photo in full.photos if photo.kind == "banner"][:4]:
        height, width = render_pixels(photo).shape[:2]
        assert width > 3 * height
    named = {kind: [p.telling_name for p in full.photos if p.kind == kind] for kind in MORE_KINDS}
    for kind in ("size_chart", "banner", "placeholder", "watermark", "glove"):
        assert abs(sum(named[kind]) - len(named[kind]) / 2) <= 1
    assert not any(named["screenshot"] + named["several"])
    sizes = [p.path for p in full.photos if p.kind == "size_chart" and p.telling_name]
    assert all("size" in path.lower() for path in sizes)


@pytest.mark.parametrize("change", EDITS)
def test_edited_copies_resemble_their_original(change: str, full: Catalogue) -> None:
    copy = next(photo for photo in full.photos if photo.change == change)
    assert copy.copy_of
    original = render_pixels(full.by_path[copy.copy_of])
    with Image.open(io.BytesIO(photo_bytes(copy))) as image:
        edited = np.asarray(image.convert("RGB"))
    factor = {"halved": 0.5, "doubled": 2, "cropped": 0.95}.get(change, 1)
    if change == "bordered":
        edge = (len(edited) - len(original)) // 2
        assert edge > 0
        edited = edited[edge:-edge, edge:-edge]
    elif change == "mirrored":
        edited = edited[:, ::-1]
    assert np.abs(np.array(edited.shape[:2]) - factor * np.array(original.shape[:2])).max() <= 1
    small = [cv2.resize(pixels, (32, 32), interpolation=cv2.INTER_AREA) for pixels in (original, edited)]
    assert np.corrcoef([pixels.ravel() for pixels in small])[0, 1] > 0.8


def test_pages_link_from_the_index_to_every_photo(store: RunningStore, catalogue: Catalogue) -> None:
    from bs4 import BeautifulSoup

    def read(url: str) -> BeautifulSoup:
        assert url.startswith(f"http://{pages.PAGE_HOST}/")
        response = fetch_with_retry(store, pages.PAGE_HOST, url.removeprefix(f"http://{pages.PAGE_HOST}"))
        assert response.status == 200
        return BeautifulSoup(response.content, "lxml")

    index = read(f"http://{pages.PAGE_HOST}/gemstones")
    found: dict[str, list[str]] = {}
    for link in index.select("ul.stonesCategoryProduct a"):
        url: str | None = str(link["href"])
        while url:
            page = read(url)
            name = link.select_one("span.productNameH2")
            assert name
            products = [str(a["href"]) for a in page.select("a.product-image.dataimage")]
            found.setdefault(name.text, []).extend(
                url.split("/product/")[1].split("-")[0] for url in products
            )
            following = page.select_one("link[rel=next]")
            url = str(following["href"]) if following else None
    assert found == catalogue.classes

    product = next(product for product in catalogue.products.values() if product.gallery)
    page = read(f"http://{pages.PAGE_HOST}{product.path}")
    sources = [str(image["src"]) for image in page.select("div.item.product_thumb img")]
    assert sources == [f"http://{pages.IMAGE_HOST}{path}?w=500" for path in product.photos]


def test_page_numbers_beyond_the_last_show_the_last_page(store: RunningStore) -> None:
    page = fetch_with_retry(store, pages.PAGE_HOST, "/gemstones/ruby/page/1000")
    assert page.status == 200
    assert b'<li class="current">' in page.content
    assert b'rel="next"' not in page.content


@pytest.mark.parametrize(
    ("kind", "status", "content_type"),
    [("stone", 200, "image/jpeg"), ("html", 200, "text/html; charset=utf-8"), ("missing", 404, "text/plain")],
)
def test_the_response_depends_on_the_kind_of_image(
    store: RunningStore, catalogue: Catalogue, kind: str, status: int, content_type: str
) -> None:
    photo = first(catalogue, kind)
    response = fetch_with_retry(store, pages.IMAGE_HOST, f"{photo.path}?w=500")
    assert (response.status, response.headers["Content-Type"]) == (status, content_type)
    if kind == "stone":
        assert response.content == photo_bytes(photo)
    if kind == "html":
        with pytest.raises(UnidentifiedImageError):
            Image.open(io.BytesIO(response.content))


def test_conditional_requests_get_304(store: RunningStore, catalogue: Catalogue) -> None:
    for host, path in (
        (pages.PAGE_HOST, "/gemstones"),
        (pages.IMAGE_HOST, first(catalogue, "stone").path),
    ):
        full = fetch_with_retry(store, host, path)
        by_tag = fetch(store, host, path, If_None_Match=full.headers["ETag"])
        by_date = fetch(store, host, path, If_Modified_Since=full.headers["Last-Modified"])
        assert (by_tag.status, by_tag.content, by_date.status, by_date.content) == (304, b"", 304, b"")
        assert fetch(store, host, path, If_None_Match='"another"').status == 200


def test_some_first_requests_fail_and_their_retries_succeed(store: RunningStore, rendered: Path) -> None:
    catalogue = build(SEED, SCALE)
    statuses: Counter[int] = Counter()
    with start(SEED, SCALE, rate_limit=RateLimit(rate=10_000, burst=1_000), cache=rendered) as fresh:
        for photo in catalogue.photos:
            try:
                statuses[fetch(fresh, pages.IMAGE_HOST, photo.path).status] += 1
            except http.client.IncompleteRead as error:
                statuses[0] += 1
                whole = fetch(fresh, pages.IMAGE_HOST, photo.path)
                assert whole.status == 200
                assert whole.content.startswith(error.partial)
        assert statuses[0] >= 1
        assert fresh.stats()["statuses"]["0"] == statuses[0]
        again = [fetch(fresh, pages.IMAGE_HOST, photo.path).status for photo in catalogue.photos]
        assert set(again) == {200, 404}


def test_clients_that_are_too_fast_get_a_retry_after_header(rendered: Path) -> None:
    rate_limit = RateLimit(rate=5, burst=3, max_rejections=4, block_seconds=60)
    with start(SEED, SCALE, rate_limit=rate_limit, cache=rendered) as strict:
        responses = [fetch(strict, pages.PAGE_HOST, "/robots.txt") for _ in range(12)]
        statuses = [response.status for response in responses]
        assert statuses[:3] == [200, 200, 200]
        refused = next(response for response in responses if response.status == 429)
        assert int(refused.headers["Retry-After"]) >= 1
        assert statuses[-1] == 403
        assert fetch(strict, pages.IMAGE_HOST, "/robots.txt").status == 200
        assert strict.stats()["statuses"]["429"] == statuses.count(429)


def test_robots_and_sitemap(store: RunningStore, catalogue: Catalogue) -> None:
    robots = fetch_with_retry(store, pages.PAGE_HOST, "/robots.txt").content.decode()
    assert "Disallow: /trade-only" in robots
    assert f"Sitemap: http://{pages.PAGE_HOST}/sitemap.xml" in robots
    sitemap = fetch_with_retry(store, pages.PAGE_HOST, "/sitemap.xml").content.decode()
    assert all(product.path in sitemap for product in catalogue.products.values())


def test_a_port_in_use_is_a_clear_error(store: RunningStore, rendered: Path) -> None:
    with pytest.raises(UserError, match=f"port {store.port}"):
        open_store(SEED, SCALE, port=store.port, cache=rendered)


def test_the_store_ends_with_the_process_that_started_it(rendered: Path) -> None:
    program = f"""
import time
from pathlib import Path
from scraper.demo_store.server import start

if __name__ == "__main__":
    with start({SEED}, {SCALE}, cache=Path({str(rendered)!r})) as running:
        print(running.port, flush=True)
        time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    orphan = RunningStore("127.0.0.1", int(parent.stdout.readline()))
    assert fetch(orphan, pages.PAGE_HOST, "/robots.txt").status == 200
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 10
    with pytest.raises(ConnectionError):
        while time.monotonic() < deadline:
            fetch(orphan, pages.PAGE_HOST, "/robots.txt")
            time.sleep(0.1)
