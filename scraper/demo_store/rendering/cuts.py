"""Cut stones as convex bodies: half-spaces `normal · x <= distance`, table up, girdle at z = 0.

The radius is about 1. A facet that touches the outline in direction φ at angle α to the girdle plane has
the normal (cos φ sin α, sin φ sin α, ±cos α) and the distance h(φ) sin α, where h is the outline's support
function.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Support = Callable[[np.ndarray], np.ndarray]

CUTS = ("round", "oval", "emerald", "pear", "heart", "cushion", "cabochon")

_GIRDLE = 0.03
_BASE = 0.12


@dataclass(frozen=True)
class Cut:
    """`normals` (facets, 3) and `distances` (facets,), float32; `notch` is the depth of a heart's cleft.

    `dome`: semi-axes of the ellipsoid that is a cabochon's smooth top; its planes only bound rays.
    """

    name: str
    normals: np.ndarray
    distances: np.ndarray
    notch: float = 0.0
    dome: np.ndarray | None = None


def _ellipse(width: float, height: float) -> Support:
    return lambda phi: np.hypot(width * np.cos(phi), height * np.sin(phi))


def _heart() -> Support:
    """Support function of the hull of two lobes and a tip; `Cut.notch` is the cleft between the lobes."""
    lobe, aside, up = 0.56, 0.42, 0.32

    def support(phi: np.ndarray) -> np.ndarray:
        lobes = lobe + aside * np.abs(np.cos(phi)) - up * np.sin(phi)
        hull: np.ndarray = np.maximum(lobes, 0.98 * np.sin(phi))
        return hull

    return support


def _pear(radius: float, tip: float) -> Support:
    return lambda phi: np.maximum(radius - 0.25 * np.sin(phi), tip * np.sin(phi))


def _cushion(width: float, power: float) -> Support:
    dual = power / (power - 1)

    def support(phi: np.ndarray) -> np.ndarray:
        radius: np.ndarray = ((width * np.abs(np.cos(phi))) ** dual + np.abs(np.sin(phi)) ** dual) ** (
            1 / dual
        )
        return radius

    return support


def _ring(
    support: Support, count: int, offset: float, angle: float, up: int, reach: float = 1.0
) -> np.ndarray:
    """Rows (nx, ny, nz, distance) of `count` facets; `reach` < 1 moves them inwards from the girdle."""
    phi = (np.arange(count) + offset) * (2 * np.pi / count)
    sine, cosine = np.sin(np.radians(angle)), np.cos(np.radians(angle))
    distance = reach * support(phi) * sine + _GIRDLE * cosine
    return np.stack([np.cos(phi) * sine, np.sin(phi) * sine, np.full(count, up * cosine), distance], 1)


def _brilliant(support: Support, rng: np.random.Generator, fold: int = 8) -> np.ndarray:
    crown, pavilion = rng.uniform(31, 38), rng.uniform(39.5, 43)
    table = rng.uniform(0.26, 0.36)
    return np.concatenate(
        [
            [[0, 0, 1, table]],
            _ring(support, fold, 0, crown, 1),
            _ring(support, 2 * fold, 0.5, crown + 7, 1, 1.005),
            _ring(support, fold, 0.5, crown - 14, 1, 1.16),
            _ring(support, 4 * fold, 0.5, 88, 1),
            _ring(support, fold, 0, pavilion, -1),
            _ring(support, 2 * fold, 0.5, pavilion + 3, -1, 1.0),
        ]
    )


def _step(width: float, rng: np.random.Generator) -> np.ndarray:
    corner = rng.uniform(0.16, 0.3)
    phi = np.arange(8) * (np.pi / 4)
    inner = np.where(
        np.arange(8) % 2, (width + 1 - corner) / np.sqrt(2), np.where(np.arange(8) % 4, 1.0, width)
    )
    rows = [np.array([[0, 0, 1, rng.uniform(0.22, 0.3)]])]
    tiers = [(89.0, 1, 1.0), (50.0, 1, 1.0), (38.0, 1, 1.05), (24.0, 1, 1.2)]
    tiers += [(58.0, -1, 1.0), (46.0, -1, 0.98), (36.0, -1, 0.97)]
    for angle, up, reach in tiers:
        angle += rng.uniform(-1.5, 1.5) if angle < 89 else 0
        sine, cosine = np.sin(np.radians(angle)), np.cos(np.radians(angle))
        distance = reach * inner * sine + _GIRDLE * cosine
        rows.append(np.stack([np.cos(phi) * sine, np.sin(phi) * sine, np.full(8, up * cosine), distance], 1))
    return np.concatenate(rows)


def _dome(width: float, height: float) -> np.ndarray:
    """Tangent planes of half an ellipsoid, dense enough to bound rays; `Cut.dome` has the smooth normals."""
    rows = [np.array([[0, 0, -1, _BASE], [0, 0, 1, height]])]
    for count, angle in ((16, 90.0), (14, 60.0), (10, 30.0)):
        phi = np.arange(count) * (2 * np.pi / count)
        sine, cosine = np.sin(np.radians(angle)), np.cos(np.radians(angle))
        distance = np.hypot(_ellipse(width, 1)(phi) * sine, height * cosine)
        rows.append(np.stack([np.cos(phi) * sine, np.sin(phi) * sine, np.full(count, cosine), distance], 1))
    return np.concatenate(rows)


def cut_stone(name: str, rng: np.random.Generator) -> Cut:
    """A stone of the named cut, with random proportions and small errors in its facet angles."""
    notch, dome = 0.0, None
    if name == "round":
        rows = _brilliant(_ellipse(1, 1), rng)
    elif name == "oval":
        rows = _brilliant(_ellipse(rng.uniform(0.7, 0.85), 1), rng)
    elif name == "emerald":
        rows = _step(rng.uniform(0.68, 0.85), rng)
    elif name == "pear":
        rows = _brilliant(_pear(0.68, rng.uniform(1.0, 1.12)), rng)
    elif name == "heart":
        rows, notch = _brilliant(_heart(), rng), rng.uniform(0.26, 0.34)
    elif name == "cushion":
        rows = _brilliant(_cushion(rng.uniform(0.82, 1.0), rng.uniform(2.6, 3.6)), rng)
    else:
        dome = np.array([rng.uniform(0.7, 0.95), 1, rng.uniform(0.45, 0.65)], np.float32)
        rows = _dome(dome[0], dome[2])
    rows[:, :3] += rng.normal(0, 0.006, (len(rows), 3))
    rows /= np.linalg.norm(rows[:, :3], axis=1, keepdims=True)
    return Cut(name, rows[:, :3].astype(np.float32), rows[:, 3].astype(np.float32), notch, dome)
