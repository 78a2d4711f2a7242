"""Make many distinct JPEGs quickly: copies of one image, each with a different comment."""

from functools import lru_cache
from io import BytesIO

import numpy as np
from PIL import Image


@lru_cache
def template(side: int) -> bytes:
    """A square JPEG of smooth colour with some grain, like a photo with a plain background."""
    random = np.random.default_rng(side)
    coarse = random.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    smooth = Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)
    grain = random.normal(0, 6, (side, side, 1))
    pixels = (np.asarray(smooth) + grain).clip(0, 255).astype(np.uint8)
    out = BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=85)
    return out.getvalue()


def with_comment(jpeg: bytes, comment: str) -> bytes:
    """The same image with other bytes."""
    text = comment.encode()
    start = 4 + int.from_bytes(jpeg[4:6])  # after the JFIF header, which some readers expect first
    return jpeg[:start] + b"\xff\xfe" + (len(text) + 2).to_bytes(2) + text + jpeg[start:]


class Gallery:
    """A shop with one class and one product, which has `count` photos of `side` × `side` pixels."""

    def __init__(self, count: int, side: int):
        self.images = [f"/photos/{number:05}.jpg" for number in range(count)]
        self._side = side

    def find(self, path: str) -> tuple[str, bytes] | None:
        """Content type and body; None if there is nothing at the path."""
        if path.startswith("/photos/"):
            return "image/jpeg", with_comment(template(self._side), path)
        if path == "/gemstones":
            return "text/html", b'<a class="category" href="/gemstones/all">All</a>'
        if path == "/gemstones/all":
            return "text/html", "".join(f'<img src="{image}">' for image in self.images).encode()
        return None
