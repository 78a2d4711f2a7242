"""Similarity of image pairs after registration, computed on their thumbnails, many pairs at once."""

import cv2
import numpy as np
import numpy.typing as npt

from curation.measurement.perceptual_hash import THUMBNAIL
from gemkit.arrays import Array, Bools, Bytes, Floats

Float32s = npt.NDArray[np.float32]

#: Pairs per batch, so that a batch fits into the processor's cache.
_CHUNK = 256
_STEPS = 3

#: Stop early when the residual exceeds this many times the threshold.
_GIVE_UP = 4

#: Pixels on each side that are not compared: a copy may have been cropped there.
_MARGIN = 1

#: Side of the grid of mean colours that is compared. Coarse, so that misaligned edges count for little.
_PATCHES = 4

#: Range of the brightness factor, the same for R, G and B, between a copy and its original.
_GAIN = (0.75, 1.35)


def residual_variance(one: Float32s, other: Float32s, threshold: float) -> Floats:
    """Share of the variance of `one` that remains after registering `other` to it, 0 to 1, for each pair.

    Both hold `lightness` images. Shift, stretch and brightness are fitted in Gauss-Newton steps (Lucas and
    Kanade, IJCAI 1981) until the residual is at most `threshold`.
    """
    shares = np.ones(len(one))
    for start in range(0, len(one), _CHUNK):
        batch = slice(start, start + _CHUNK)
        shares[batch] = _register(one[batch], other[batch], threshold)
    return shares


def lightness(thumbnails: Bytes) -> Float32s:
    """Grey thumbnails, float32, slightly smoothed, since finer detail is sampled differently in a copy.

    `thumbnails`: count × THUMBNAIL × THUMBNAIL × 3, uint8, RGB.
    """
    smooth = np.empty(thumbnails.shape[:3], np.float32)
    for start in range(0, len(thumbnails), _CHUNK):
        batch = thumbnails[start : start + _CHUNK]
        grey = cv2.cvtColor(batch.reshape(-1, THUMBNAIL, 3), cv2.COLOR_RGB2GRAY).reshape(batch.shape[:3])
        wide = np.pad(grey.astype(np.float32), [(0, 0), (1, 1), (1, 1)], "edge")
        wide = wide[:, :-2] + 4 * wide[:, 1:-1] + wide[:, 2:]
        smooth[start : start + _CHUNK] = (wide[:, :, :-2] + 4 * wide[:, :, 1:-1] + wide[:, :, 2:]) / 36
    return smooth


def colour_distance(one: Float32s, other: Float32s) -> Float32s:
    """Root mean square distance in a* and b* of each pair of `colour_patches`, at equal brightness."""
    first, second = one.reshape(len(one), -1, 3), other.reshape(len(other), -1, 3)
    # Clipped white says nothing about the brightness.
    used = _below(first, 250) & _below(second, 250)
    gain = (first * second * used).sum(axis=(1, 2)) / ((second**2 * used).sum(axis=(1, 2)) + 1)
    gain = np.where(used.any(axis=(1, 2)), np.clip(gain, *_GAIN), 1).astype(np.float32)
    shift = _lab(first) - _lab(np.minimum(second * gain[:, None, None], 255))
    distances: Float32s = np.sqrt((shift[..., 1:] ** 2).sum(axis=2).mean(axis=1))
    return distances


def colour_patches(thumbnails: Bytes) -> Float32s:
    """Mean colours of a 4 × 4 grid over each thumbnail, count × 4 × 4 × 3, float32."""
    size = (_PATCHES, _PATCHES * len(thumbnails))
    rows = thumbnails.reshape(-1, THUMBNAIL, 3)
    patches = cv2.resize(rows, size, interpolation=cv2.INTER_AREA) if len(rows) else rows
    return patches.reshape(len(thumbnails), _PATCHES, _PATCHES, 3).astype(np.float32)


def _register(target: Float32s, source: Float32s, threshold: float) -> Floats:
    """The smallest residual of each pair over the steps."""
    shares = np.ones(len(target))
    active = np.arange(len(target))
    transform = np.zeros((len(target), 4), np.float32)  # shift and stretch in x, in y, in half sides
    warped = source
    for _ in range(_STEPS):
        share, step = _fit(target[active], warped)
        shares[active] = np.minimum(shares[active], share)
        transform[active] = np.clip(transform[active] + step, -0.3, 0.3)
        active = active[(share > threshold) & (share < _GIVE_UP * threshold)]
        if not len(active):
            break
        warped = _warped(source[active], transform[active])
    return shares


def _pixel_centres() -> Float32s:
    """Centres of the pixels, from -1 to 1 over the thumbnail."""
    return ((np.arange(THUMBNAIL) + 0.5) / THUMBNAIL * 2 - 1).astype(np.float32)


def _warped(grey: Float32s, transform: Float32s) -> Array:
    """Each image shifted and stretched, with bilinear interpolation and replicated edges."""
    columns = _interpolation(transform[:, 0], transform[:, 1])
    rows = _interpolation(transform[:, 2], transform[:, 3])
    return rows @ grey @ columns.transpose(0, 2, 1)


def _interpolation(shift: Float32s, stretch: Float32s) -> Float32s:
    """Weight of each old pixel in each new one along one axis, count × THUMBNAIL × THUMBNAIL."""
    target = _pixel_centres() * (1 + stretch[:, None]) + shift[:, None]
    pixel = np.clip((target + 1) / 2 * THUMBNAIL - 0.5, 0, THUMBNAIL - 1)
    weights: Float32s = np.maximum(0, 1 - np.abs(pixel[:, :, None] - np.arange(THUMBNAIL, dtype=np.float32)))
    return weights


def _fit(grey: Float32s, model: Float32s) -> tuple[Array, Array]:
    """The share of the variance of `grey` not explained by `model`, and the next step of the transform."""
    centres = _pixel_centres()
    slope_x, slope_y = np.zeros_like(model), np.zeros_like(model)
    slope_x[:, :, 1:-1] = (model[:, :, 2:] - model[:, :, :-2]) * (THUMBNAIL / 4)
    slope_y[:, 1:-1] = (model[:, 2:] - model[:, :-2]) * (THUMBNAIL / 4)
    terms = [model, slope_x, slope_x * centres, slope_y, slope_y * centres[:, None]]
    basis = np.stack([_without_margin(term) for term in terms], axis=1)
    basis -= basis.mean(axis=2, keepdims=True)
    target = _without_margin(grey)[..., None]
    target = target - target.mean(axis=1, keepdims=True)
    products = basis @ target
    factors = np.linalg.solve(
        basis @ basis.transpose(0, 2, 1) + np.eye(len(terms), dtype=np.float32), products
    )
    whole = (target**2).sum(axis=(1, 2))
    share = (whole - (products * factors).sum(axis=(1, 2))) / (whole + target.shape[1])
    gain = factors[:, :1, 0]
    plausible = (gain > _GAIN[0]) & (gain < _GAIN[1])
    step = np.where(plausible, factors[:, 1:, 0] / np.where(plausible, gain, 1), 0)
    return np.where(plausible[:, 0], share, 1.0), step


def _without_margin(values: Float32s) -> Float32s:
    """The pixels inside the margin, count × pixels."""
    inside = values[:, _MARGIN : THUMBNAIL - _MARGIN, _MARGIN : THUMBNAIL - _MARGIN]
    return inside.reshape(len(values), inside.shape[1] * inside.shape[2])


def _below(rgb: Float32s, limit: float) -> Bools:
    """Where all channels are below the limit. NumPy's `all` takes ten times as long over an axis of three."""
    return ((rgb[..., 0] < limit) & (rgb[..., 1] < limit) & (rgb[..., 2] < limit))[..., None]


def _lab(rgb: Float32s) -> Array:
    return cv2.cvtColor(rgb / np.float32(255), cv2.COLOR_RGB2LAB)
