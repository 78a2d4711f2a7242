"""Folders of images, one for each class."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

CLASSES = ("barren land", "grassland", "trees")


COLOURS = np.array([(200, 60, 60, 30), (60, 180, 60, 220), (60, 60, 210, 120)])


def coloured_image(label: int, number: int, side: int = 28, bands: int = 3) -> np.ndarray:
    """An image in the colour of its class, with noise that depends on class and number."""
    noise = np.random.default_rng([label, number]).normal(0, 12, (side, side, bands))
    return np.clip(COLOURS[label, :bands] + noise, 0, 255).astype(np.uint8)


def encoded(pixels: np.ndarray | Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """The file content of an image in a format of Pillow."""
    content = io.BytesIO()
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(content, kind, **options)
    return content.getvalue()


def write(path: Path, pixels: np.ndarray, kind: str = "PNG") -> None:
    """Write an image, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(pixels, kind))


def class_folders(root: Path, count: int = 7, first: int = 0, suffix: str = "png", kind: str = "PNG") -> None:
    """Write `count` images of each class into a folder named like it."""
    for label, variety in enumerate(CLASSES):
        for number in range(first, first + count):
            write(root / variety / f"{number:03d}.{suffix}", coloured_image(label, number), kind)
