"""Ctrl-C and SIGTERM end a crawl soon, whatever the store has sent it."""

import signal
import time
from functools import cache
from pathlib import Path

import pytest
from PIL import Image

from tests.helpers.commands import signal_when, start
from tests.helpers.crawl_results import images
from tests.helpers.crawl_shop import Reply, Shop
from tests.helpers.encoded_images import encoded
from tests.helpers.slow import others_slow

#: Requests in flight have 3 s to end; the rest is for a busy machine.
SECONDS = 8.0

#: Pages that take many seconds to parse: 10 MB of nested elements, of text and of JSON.
HOSTILE_PAGES = [
    b"<table><tr><th>x<td>y" * 45_000 + b" " * 9_000_000,
    b"<h1>x" * 6_000 + b"</b>" * 2_000_000,
    b"<script type='application/ld+json'>" + b"[" + b'{"@type": "Product"},' * 450_000 + b"0]</script>",
    b"<title>" + b" " * 9_000_000,
]


@cache
def large_picture() -> bytes:
    """It takes seconds to decode."""
    return encoded(Image.new("RGB", (7000, 7000)), "JPEG", progressive=True)


def ends_soon(shop: Shop, folder: Path, path: str, number: signal.Signals) -> None:
    """Send the signal in the middle of the work that begins with the request of this path."""
    site = folder / shop.site(folder)
    site.write_text(site.read_text().replace("timeout_seconds = 2", "timeout_seconds = 60"))
    process = start("gemscrape", "crawl", "--site", "shop.toml", cwd=folder)
    ready: list[float] = []

    def is_busy() -> bool:
        asked = [moment for moment, asked_path, _ in shop.requests if asked_path == path]
        if asked and time.monotonic() > asked[0] + 1:
            ready.append(time.monotonic())
        return bool(ready)

    code, stderr = signal_when(process, is_busy, number)
    assert time.monotonic() - ready[0] < SECONDS
    assert (code, "Interrupted" in stderr, "Traceback" in stderr) == (130, True, False)
    images(folder)  # the tables are complete


@pytest.mark.parametrize("number", others_slow([signal.SIGINT, signal.SIGTERM]))
def test_while_pages_are_parsed_and_one_never_arrives(tmp_path: Path, number: signal.Signals) -> None:
    with Shop(products=6) as shop:
        for product, body in enumerate(HOSTILE_PAGES):
            shop.replies[f"/p/gp{product}"] = [Reply(body=body)]
        shop.replies["/p/gp4"] = [Reply(delay=60)]
        ends_soon(shop, tmp_path, "/p/gp3", number)


@pytest.mark.parametrize("number", others_slow([signal.SIGINT, signal.SIGTERM], signal.SIGTERM))
def test_while_large_pictures_are_decoded_and_one_never_arrives(
    tmp_path: Path, number: signal.Signals
) -> None:
    with Shop(products=6) as shop:
        shop.replies |= {path: [Reply(body=large_picture())] for path in shop.images}
        shop.replies["/img/gp2-1.jpg"] = [Reply(delay=60)]
        ends_soon(shop, tmp_path, "/img/gp1-1.jpg", number)
