"""Tables of a synthetic store as `clean` reads them, with as many products, names and copies as real ones."""

import hashlib

import cv2
import imagehash
import numpy as np
import pyarrow as pa
from PIL import Image

from curation.measurement.perceptual_hash import THUMBNAIL
from curation.measurement.pixel_statistics import measure_pixels
from curation.tables import MEASURED
from gemkit.project import Project
from gemkit.tables import write_table
from scraper.demo_store.rendering.stones import photograph
from scraper.tables import IMAGES

SITE = "made-up"

#: Per 1,000 images, the exact duplicates (other bytes, same pixels) and the near-duplicates.
EXACT, NEAR = 10, 60

#: Images per product, and products per image, as in the published list of links.
_IMAGES_PER_PRODUCT, _LISTINGS = 2.5, 1.6
_SMALL = 0.04


def write_shop(project: Project, images: int, classes: list[str], seed: int = 1) -> None:
    """Write the raw and the measured table of SITE."""
    random = np.random.default_rng(seed)
    thumbnails = _thumbnails(images, random)
    sha256 = np.array([hashlib.sha256(f"{seed} {number}".encode()).hexdigest() for number in range(images)])
    write_table(project.raw(SITE) / "images.parquet", _raw(sha256, classes, random))
    write_table(project.measured(SITE), _measured(sha256, thumbnails, random))


def _raw(sha256: np.ndarray, classes: list[str], random: np.random.Generator) -> pa.Table:
    """One row per link; a second link to an image often comes from a parent class."""
    links = np.concatenate([np.arange(len(sha256)), random.integers(0, len(sha256), len(sha256) // 3)])
    products = int(len(sha256) / _IMAGES_PER_PRODUCT)
    popular = random.zipf(2.2, len(links)).clip(1, len(classes)) - 1
    columns = {
        "site": [SITE] * len(links),
        "image_url": [f"https://img.example/{row:07}.jpg" for row in range(len(links))],
        "sha256": sha256[links],
        "path": [f"images/{sha256[link][:2]}/{sha256[link]}.jpg" for link in links],
        "status": ["ok"] * len(links),
        "store_classes": [[classes[number]] for number in popular],
        "product_ids": [
            [f"gp{number}" for number in random.integers(0, products, count)]
            for count in 1 + random.poisson(_LISTINGS - 1, len(links))
        ],
        "page_urls": [[f"https://shop.example/{row}"] for row in range(len(links))],
        "file_name": [f"gp{row}-{row % 7}-230115.jpg" for row in range(len(links))],
    }
    empty = {name: [None] * len(links) for name in IMAGES.names if name not in columns}
    return pa.table(columns | empty).select(IMAGES.names).cast(IMAGES)


def _measured(sha256: np.ndarray, thumbnails: np.ndarray, random: np.random.Generator) -> pa.Table:
    count = len(sha256)
    greys = [Image.fromarray(thumbnail).convert("L") for thumbnail in thumbnails]
    mirrored = [grey.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for grey in greys]
    hashes = (
        [bytes.fromhex(str(imagehash.phash(grey, highfreq_factor=2))) for grey in images]
        for images in (greys, mirrored)
    )
    pixels = [hashlib.md5(f"{number}".encode(), usedforsecurity=False).digest() for number in range(count)]
    for copy in random.choice(count, count * EXACT // 1000, replace=False):
        pixels[copy] = pixels[copy // 2]
    small = random.random(count) < _SMALL
    values: dict[str, object] = {
        "sha256": sha256,
        "format": ["JPEG"] * count,
        "mode": ["RGB"] * count,
        "width": np.where(small, 64, random.integers(300, 900, count)),
        "height": random.integers(300, 600, count),
        "bytes": random.integers(20_000, 200_000, count),
        "pixel_hash": pixels,
        "phash": next(hashes),
        "phash_mirrored": next(hashes),
        "thumbnail": [thumbnail.tobytes() for thumbnail in thumbnails],
    }
    good = measure_pixels(photograph("Ruby", (1, 0), 0)).columns()
    order = pa.array(np.argsort(sha256))
    columns = [
        pa.array(values.get(field.name) if field.name in values else [_like(good, field)] * count, field.type)
        for field in MEASURED
    ]
    return pa.Table.from_arrays(columns, schema=MEASURED).take(order)


def _like(good: dict[str, object], field: pa.Field) -> object:
    """The measurement of a good image, without text."""
    number = pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
    return good.get(field.name, 0 if number else None)


def _thumbnails(count: int, random: np.random.Generator) -> np.ndarray:
    """Stones of a few outlines on a pale background, each with its own facets; some are copies of another."""
    side = np.linspace(-1.25, 1.25, THUMBNAIL)
    x, y = np.meshgrid(side, side)
    colours = random.uniform(60, 150, (12, 1)) + random.normal(0, 12, (12, 3))
    made = np.empty((count, THUMBNAIL, THUMBNAIL, 3), np.uint8)
    for number in range(count):
        power, light = random.uniform(1.5, 8), random.normal(0, 0.8, 2)
        inside = 1 / (1 + np.exp(12 * (np.abs(x) ** power + np.abs(y) ** power - 1)))
        coarse, fine = random.normal(0, 1, (4, 4)), random.normal(0, 1, (9, 9))
        facets = cv2.resize(coarse, x.shape, interpolation=cv2.INTER_CUBIC) + 1.2 * cv2.resize(fine, x.shape)
        body = (
            random.choice(colours)
            * random.normal(1, 0.03, 3)
            * (1 + facets + light[0] * x + light[1] * y)[..., None]
        )
        made[number] = (inside[..., None] * body + (1 - inside[..., None]) * 225).clip(0, 255)
    copies = random.choice(count, count * NEAR // 1000, replace=False)
    noise = random.normal(0, 2, (len(copies), THUMBNAIL, THUMBNAIL, 3))
    made[copies] = (made[copies // 2] + noise).clip(0, 255)
    return made
