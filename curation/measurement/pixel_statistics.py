"""Measurements on the pixels of one image. `pixels` is always height × width × 3, uint8, RGB.

Colours, components and sharpness are measured on the image reduced to 64 pixels, where they cost a fraction
of the decode. The rules' thresholds apply at that size, whatever the size of the file. A plain frame around
the image is cut off first: it says nothing about the image inside.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import cv2
import numpy as np
import xxhash

from curation.imaging.border import inside_frame
from curation.imaging.resize import fit, halve, halve_towards
from curation.measurement.foreground import (
    BorderComponentMeasurements,
    StoneMeasurements,
    analyse,
    border_component_measurements,
    longest_border_component,
    median,
    stone_measurements,
)
from curation.measurement.ocr import STROKE_SIDE, stroke_density
from curation.measurement.perceptual_hash import PerceptualHashes, perceptual_hashes
from curation.measurement.shape_features import ShapeFeatures, compute_features
from gemkit.arrays import Array

#: Longer side in pixels of the reduced image that is hashed; everything else is measured at half of it.
SIDE = 128

#: Width of the border, as a share of the shorter side.
_BORDER = 0.04

#: Spread of Lab colour (root of the summed variances) at which the uniformity of a border reaches 0.
_BORDER_SPREAD = 40.0

#: Lightness (L*) from which on a pixel is overexposed.
_CLIPPED = 99.0

#: Skin in Cr and Cb (Chai and Ngan, IEEE Trans. CSVT 9(4), 1999), and in hue (degrees, around red) and
#: saturation (after Sobottka and Pitas, ICIP 1996). The limits were adjusted on 1,000 images of stones:
#: pinkish white paper is paler than skin, a citrine more vivid.
_SKIN_CR, _SKIN_CB = (135, 173), (77, 127)
_SKIN_HUE, _SKIN_SATURATION = (-30, 50), (0.12, 0.70)
#: Minimum area of a skin region, as a share of the image.
_SKIN_REGION = 0.02

#: Fields of PixelMeasurements whose own fields are columns.
_GROUPS = ("hashes", "lightness", "border", "skin", "border_component", "stone")


class Lightness(NamedTuple):
    """Of L*: mean, deviation, 1st and 99th percentile; the overexposed share of the central half."""

    brightness: float
    contrast: float
    darkest: float
    brightest: float
    clipped_share: float


class Border(NamedTuple):
    """1 − normalised spread of the border's colour, and its median L*, a*, b*."""

    background_uniformity: float
    background_lab: list[float]


class Skin(NamedTuple):
    """Shares of the image with the colour of skin, and under the region of it with the longest run along the
    border; that run as a share of the border.
    """

    skin_share: float
    skin_region_share: float
    skin_border_share: float


class PixelMeasurements(NamedTuple):
    """The columns of MEASURED that are computed from the pixels, except those of text.

    The parts in _GROUPS are several columns each.
    """

    width: int
    height: int
    pixel_hash: bytes
    hashes: PerceptualHashes
    centre_lab: list[float]
    lightness: Lightness
    sharpness: float
    border: Border
    background_residual: float
    skin: Skin
    border_component: BorderComponentMeasurements
    stone: StoneMeasurements
    shape_features: ShapeFeatures
    stroke_density: float

    def columns(self) -> dict[str, Any]:
        """The columns by name, for a table."""
        columns = {name: value for name, value in self._asdict().items() if name not in _GROUPS}
        for name in _GROUPS:
            columns |= getattr(self, name)._asdict()
        return columns | {"shape_features": self.shape_features._asdict()}


def measure_pixels(pixels: Array) -> PixelMeasurements:
    """Measure everything but text."""
    height, width = pixels.shape[:2]
    reduced = halve_towards(pixels, STROKE_SIDE)
    hashed = fit(reduced, SIDE)
    small = halve(hashed)
    whole = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    rows, columns = inside = inside_frame(whole)
    small, lab = np.ascontiguousarray(small[inside]), np.ascontiguousarray(whole[inside])
    analysis = analyse(lab)
    stone = stone_measurements(analysis)
    corner, size = np.tile((columns.start, rows.start), 2), np.tile(whole.shape[1::-1], 2)
    left, top, right, bottom = _floats((stone.stone_box + corner) / size)
    return PixelMeasurements(
        width=width,
        height=height,
        pixel_hash=pixel_hash(pixels),
        hashes=perceptual_hashes(hashed),
        centre_lab=_floats(cv2.mean(_centre(lab))[:3]),
        lightness=_lightness(cv2.extractChannel(lab, 0)),
        sharpness=_sharpness(small),
        border=_border(lab),
        background_residual=analysis.background.residual,
        skin=_skin(small),
        border_component=border_component_measurements(analysis),
        stone=stone._replace(stone_box=(left, top, right, bottom)),
        shape_features=compute_features(analysis),
        stroke_density=stroke_density(reduced),
    )


def pixel_hash(pixels: Array) -> bytes:
    """XXH3 (128 bits) of the pixels and their shape: equal for files that differ in container or metadata."""
    digest = xxhash.xxh3_128(f"{pixels.shape}".encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.digest()


def _centre(values: Array) -> Array:
    height, width = values.shape[:2]
    return values[height // 4 : max(1, height - height // 4), width // 4 : max(1, width - width // 4)]


def _lightness(lightness: Array) -> Lightness:
    mean, deviation = cv2.meanStdDev(lightness)
    hundredth = lightness.size // 100
    ends = (hundredth, lightness.size - 1 - hundredth)
    darkest, brightest = np.partition(lightness, ends, axis=None)[[*ends]]
    return Lightness(
        brightness=float(mean[0, 0]),
        contrast=float(deviation[0, 0]),
        darkest=float(darkest),
        brightest=float(brightest),
        clipped_share=float((_centre(lightness) >= _CLIPPED).mean()),
    )


def _sharpness(small: Array) -> float:
    """Standard deviation of the Laplacian of the grey image."""
    laplacian = cv2.Laplacian(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), cv2.CV_16S)
    return float(cv2.meanStdDev(laplacian)[1][0, 0])


def _border(lab: Array) -> Border:
    height, width = lab.shape[:2]
    depth = max(1, round(_BORDER * min(height, width)))
    strips = (lab[:depth], lab[-depth:], lab[:, :depth], lab[:, -depth:])
    border = np.concatenate([strip.reshape(-1, 3) for strip in strips])
    spread = float(np.linalg.norm(cv2.meanStdDev(border.reshape(1, -1, 3))[1]))
    return Border(
        background_uniformity=max(0.0, 1 - spread / _BORDER_SPREAD), background_lab=_floats(median(border))
    )


def _skin(small: Array) -> Skin:
    _, red, blue = cv2.split(cv2.cvtColor(small, cv2.COLOR_RGB2YCrCb))
    hue, saturation, _ = cv2.split(cv2.cvtColor(small, cv2.COLOR_RGB2HSV))
    # OpenCV's 8-bit hue is in steps of two degrees, its saturation ranges to 255.
    hue = (hue.astype(np.int16) * 2 + 180) % 360 - 180
    limits = (
        (red, _SKIN_CR),
        (blue, _SKIN_CB),
        (hue, _SKIN_HUE),
        (saturation, tuple(share * 255 for share in _SKIN_SATURATION)),
    )
    skin = np.logical_and.reduce([(values >= low) & (values <= high) for values, (low, high) in limits])
    found = longest_border_component(skin.astype(np.uint8), _SKIN_REGION)
    return Skin(
        skin_share=float(skin.mean()),
        skin_region_share=float(found[0].mean()) if found else 0.0,
        skin_border_share=found[1] if found else 0.0,
    )


def _floats(values: Iterable[float]) -> list[float]:
    return [float(value) for value in values]
