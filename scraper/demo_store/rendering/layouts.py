"""Several stones in one image: pairs, rows, grids and scattered parcels."""

import numpy as np

from scraper.demo_store.rendering.stones import (
    backdrop,
    finish,
    light_tent,
    make_stone,
    place_stone,
    rotation,
)
from scraper.demo_store.rendering.varieties import Variety

#: Share of the side of its square that a stone's outline covers.
_SPAN = 0.87
#: Rays per image are limited to the square of this, but each stone gets at least 52².
_FINEST = 180


def several(variety: Variety, rng: np.random.Generator) -> np.ndarray:
    """Two to twelve stones of a variety on one backdrop, uint8 RGB (height, width, 3); some may touch."""
    width = int(rng.integers(400, 600))
    height = int(width * rng.choice([1.0, 1.0, 0.8, 0.7]))
    image = backdrop(width, height, rng)
    layout = rng.choice(["pair", "row", "grid", "scatter"], p=[0.25, 0.2, 0.2, 0.35])
    if layout == "scatter":
        places = _scatter(width, height, rng)
    else:
        columns = 2 if layout == "pair" else int(rng.integers(2, 5))
        rows = int(rng.integers(2, 4)) if layout == "grid" else 1
        places = _grid(width, height, columns, rows, rng)
    light = light_tent(rng)
    # Calibrated stones have the same cut and colour; a parcel is mixed.
    alike = layout == "pair" or rng.random() < 0.4
    stone, spin = make_stone(variety, rng), rng.uniform(0, 6.3)
    finest = max(52, int(_FINEST / np.sqrt(len(places))))
    for x, y, span in places:
        if not alike:
            stone, spin = make_stone(variety, rng), rng.uniform(0, 6.3)
        side = int(span / _SPAN)
        turn = rotation(spin + rng.normal(0, 0.15), rng.uniform(0, 0.35), rng.uniform(0, 6.3))
        left = int(np.clip(x - side / 2, 0, width - side))
        top = int(np.clip(y - side / 2, 0, height - side))
        place_stone(image, stone, light, turn, left, top, side, rng, finest)
    return finish(image, rng)


def _grid(
    width: int, height: int, columns: int, rows: int, rng: np.random.Generator
) -> list[tuple[float, float, float]]:
    """(x, y, diameter) of stones in rows and columns, nearly aligned."""
    pitch = min(width / columns, height / rows) * rng.uniform(0.85, 0.98)
    span = pitch * rng.uniform(0.62, 0.85)
    return [
        (
            width / 2 + (column - (columns - 1) / 2) * pitch + rng.normal(0, pitch * 0.02),
            height / 2 + (row - (rows - 1) / 2) * pitch + rng.normal(0, pitch * 0.02),
            span,
        )
        for row in range(rows)
        for column in range(columns)
    ]


def _scatter(width: int, height: int, rng: np.random.Generator) -> list[tuple[float, float, float]]:
    """(x, y, diameter) of stones scattered next to each other; some may touch."""
    count = int(rng.integers(3, 13))
    typical = np.sqrt(width * height / count) * rng.uniform(0.5, 0.72)
    apart = 0.88 if rng.random() < 0.35 else 1.12
    places: list[tuple[float, float, float]] = []
    for _ in range(40 * count):
        span = typical * rng.uniform(0.8, 1.1)
        x, y = rng.uniform(span / 2, width - span / 2), rng.uniform(span / 2, height - span / 2)
        if all(np.hypot(x - a, y - b) > apart * (span + other) / 2 for a, b, other in places):
            places.append((x, y, span))
        if len(places) == count:
            break
    return places
