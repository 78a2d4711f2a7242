"""Trace light through a cut stone: refraction in, two reflections at the pavilion, refraction out.

Rays are orthographic. Directions and positions are in the stone's frame (see `cuts`), one row per ray.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from scraper.demo_store.rendering.cuts import Cut
from scraper.demo_store.rendering.inclusions import SIDE

_BOUNCES = 3
#: Indices of a cabochon's planes.
_FLOOR, _TOP = 0, 1
#: An inclusion is visible where a ray crosses this depth.
_INCLUSION_DEPTH = 0.08


@dataclass(frozen=True)
class Stone:
    """A cut and its material; `body`, RGB (3,), is the transmission of white light over one stone radius."""

    cut: Cut
    body: np.ndarray
    refractive_index: float
    pattern: np.ndarray
    pattern_strength: float
    #: 1: the pattern scatters white light; 0: it only deepens or thins the stone's own colour.
    pattern_white: float
    #: Share of its brilliance that a hazy stone loses.
    haze: float


@dataclass(frozen=True)
class Light:
    """A light tent: light boxes (azimuth, height, width, brightness), a dark camera hole and a floor."""

    boxes: np.ndarray
    ambient: float
    floor: float
    dispersion: float


def trace_rays(stone: Stone, light: Light, turn: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Render the stone from camera frame `turn` (3, 3): linear RGB (side, side, 3), coverage (side, side).

    The image covers [-1.15, 1.15]² of the camera plane.
    """
    normals, distances = stone.cut.normals, stone.cut.distances
    axis = np.linspace(-1.15, 1.15, side, dtype=np.float32)
    grid = np.stack(np.meshgrid(axis, -axis), -1).reshape(-1, 2)
    view = -turn[2]
    start = grid @ turn[:2] - 4 * view
    facing = normals @ view
    front, back = np.flatnonzero(facing < -1e-4), np.flatnonzero(facing > 1e-4)
    entering = (distances[front] - start @ normals[front].T) / facing[front]
    facet = entering.argmax(1)
    first = entering[np.arange(len(facet)), facet]
    leave = ((distances[back] - start @ normals[back].T) / facing[back]).min(1)
    if stone.cut.dome is not None:
        first = _meet_dome(stone.cut.dome, start, view)
        facet[:] = 0
        front = np.array([_TOP])
    hit = (first < leave) & ~_in_notch(stone.cut, start + first[:, None] * view)
    colour = np.zeros((side * side, 3), np.float32)
    rays = np.flatnonzero(hit)
    point = start[rays] + first[rays, None] * view
    colour[rays] = _shade(stone, light, turn, point, np.broadcast_to(view, point.shape), front[facet[rays]])
    return colour.reshape(side, side, 3), hit.reshape(side, side).astype(np.float32)


def _meet_dome(dome: np.ndarray, start: np.ndarray, view: np.ndarray) -> np.ndarray:
    """Ray parameter of the first intersection with an ellipsoid at the origin; infinite for a miss."""
    place, step = start / dome, view / dome
    a, b, c = step @ step, place @ step, (place**2).sum(1) - 1
    under = b**2 - a * c
    distance: np.ndarray = np.where(under > 0, (-b - np.sqrt(np.maximum(under, 0))) / a, np.inf)
    return distance


def _in_notch(cut: Cut, point: np.ndarray) -> np.ndarray:
    """Whether a point is inside a heart's cleft, the cusp between its two lobes."""
    if not cut.notch:
        return np.zeros(len(point), bool)
    aside = np.minimum(np.abs(point[:, 0]) / 0.42, 1)
    inside: np.ndarray = -point[:, 1] > 0.88 - cut.notch + cut.notch * np.sqrt(1 - (1 - aside) ** 2)
    return inside


def _normal(cut: Cut, facet: np.ndarray, point: np.ndarray) -> np.ndarray:
    """Outward normals where rays hit facets; those of a dome are smooth."""
    normal: np.ndarray = cut.normals[facet]
    if cut.dome is not None:
        smooth = point / cut.dome**2
        smooth /= np.linalg.norm(smooth, axis=1, keepdims=True)
        normal = np.where((facet == _FLOOR)[:, None], cut.normals[_FLOOR], smooth)
    return normal


def _shade(
    stone: Stone, light: Light, turn: np.ndarray, point: np.ndarray, view: np.ndarray, facet: np.ndarray
) -> np.ndarray:
    normals, distances = stone.cut.normals, stone.cut.distances
    normal = _normal(stone.cut, facet, point)
    gloss = _fresnel(-(view * normal).sum(1), 1 / stone.refractive_index)
    mirrored = view - 2 * (view * normal).sum(1, keepdims=True) * normal
    colour = gloss[:, None] * _environment(light, mirrored @ turn.T)
    ray, _ = _refract(view, normal, 1 / stone.refractive_index)
    pattern, grain = _look_through(stone, point, ray, turn)
    weight = (1 - gloss)[:, None]
    path = np.zeros(len(point), np.float32)
    absorb = (
        -np.log(stone.body)
        * np.exp(-0.9 * stone.pattern_strength * (1 - stone.pattern_white) * pattern)[:, None]
    )
    for bounce in range(_BOUNCES):
        speed = ray @ normals.T
        reach = distances - point @ normals.T
        times = np.where(speed > 1e-4, np.maximum(reach, 0) / np.maximum(speed, 1e-4), np.inf)
        times[np.arange(len(facet)), facet] = np.inf
        facet = times.argmin(1)
        length = times[np.arange(len(facet)), facet]
        point = point + length[:, None] * ray
        path += length
        normal = -_normal(stone.cut, facet, point)
        out, inside = _refract(ray, normal, stone.refractive_index)
        leaking = (1 - inside)[:, None] if bounce < _BOUNCES - 1 else 1.0
        seen = _environment(light, out @ turn.T, light.dispersion)
        colour += weight * leaking * seen * np.exp(-absorb * path[:, None])
        if bounce < _BOUNCES - 1:
            weight = weight * inside[:, None]
            ray = ray - 2 * (ray * normal).sum(1, keepdims=True) * normal
    return _include(stone, colour, pattern, grain)


def _look_through(
    stone: Stone, point: np.ndarray, ray: np.ndarray, turn: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The inclusion pattern where each ray crosses its depth, and the share of light that reaches it."""
    inside = point + ray * _INCLUSION_DEPTH
    scale = (SIDE - 1) / 2.4
    across, down = ((inside[:, :2] + 1.2) * scale).astype(np.float32).T
    pattern = cv2.remap(
        stone.pattern, across[None], down[None], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )[0]
    return pattern, 0.75 + 0.25 * ray[:, 2] ** 2


def _include(stone: Stone, colour: np.ndarray, pattern: np.ndarray, grain: np.ndarray) -> np.ndarray:
    """Add inclusions: bright ones scatter light and veil what is behind them, dark ones absorb it."""
    amount = (stone.pattern_strength * stone.pattern_white * pattern * grain)[:, None]
    colour = colour + stone.haze * (colour.mean(0) - colour)
    veil = np.clip(amount, 0, 0.9)
    scattered = (0.1 + 0.9 * np.sqrt(stone.body)) * max(2.0 * float(colour.mean()), 0.45)
    included: np.ndarray = (colour + veil * (scattered - colour)) * np.exp(1.1 * np.minimum(amount, 0))
    return included


def _refract(ray: np.ndarray, normal: np.ndarray, ratio: float) -> tuple[np.ndarray, np.ndarray]:
    """Snell's law: the refracted directions and the reflected share (1 for total internal reflection)."""
    cosine = -(ray * normal).sum(1)
    under = 1 - ratio**2 * (1 - cosine**2)
    out = ratio * ray + (ratio * cosine - np.sqrt(np.maximum(under, 0)))[:, None] * normal
    return out, np.where(under <= 0, 1.0, _fresnel(cosine, ratio)).astype(np.float32)


def _fresnel(cosine: np.ndarray, ratio: float) -> np.ndarray:
    """Schlick's approximation of the reflected share."""
    base = ((1 - ratio) / (1 + ratio)) ** 2
    reflected: np.ndarray = base + (1 - base) * (1 - np.clip(cosine, 0, 1)) ** 5
    return reflected


def _environment(light: Light, direction: np.ndarray, dispersion: float = 0.0) -> np.ndarray:
    """RGB light arriving from `direction` (rays, 3) in the camera's frame."""
    height = direction[:, 2]
    total = light.ambient + 0.5 * np.clip(1 - np.abs(height - 0.45) * 1.6, 0, 1)
    total = np.where(height < -0.05, light.floor, total)
    total *= 1 - 0.75 * np.exp((np.minimum(height, 1) - 1) / 0.035)
    rgb = np.repeat(total[:, None], 3, 1)
    level = light.boxes[:, 1]
    flat = np.sqrt(1 - level**2)
    towards = np.stack([np.cos(light.boxes[:, 0]) * flat, np.sin(light.boxes[:, 0]) * flat, level])
    close = (direction @ towards - np.cos(light.boxes[:, 2])) / 0.06
    if not dispersion:
        rgb += (np.clip(close, 0, 1) @ light.boxes[:, 3])[:, None]
        return rgb
    for channel in range(3):
        # Red is refracted least, so the colours at the edge of a light box separate slightly.
        rgb[:, channel] += np.clip(close - (channel - 1) * dispersion / 0.06, 0, 1) @ light.boxes[:, 3]
    return rgb
