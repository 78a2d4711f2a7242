"""How alike two pictures are once one is laid onto the other: from their thumbnails, many pairs at once."""

import cv2
import numpy as np

from curation.measurement.perceptual_hash import THUMBNAIL

#: Pairs looked at once: what they take then fits into the processor's cache.
_CHUNK = 256
_STEPS = 3

#: What leaves more than so many times enough unexplained is not worth another step.
_HOPELESS = 4

#: Pixels at each side that are not compared: a copy may have been cropped there.
_MARGIN = 1

#: Side of the means that colours are compared in, so that edges that don't quite meet count for little.
_PATCHES = 4

#: Changes of light that a copy may have gone through: factors on all of R, G and B.
_GAIN = (0.75, 1.35)


def unexplained(one: np.ndarray, other: np.ndarray, enough: float) -> np.ndarray:
    """For each pair of `lightness` pictures the share of `one` that `other` leaves unexplained, 0 to 1.

    It is the share of the variance of `one` that is left when `other` is shifted, stretched and lit as suits
    best, in Gauss-Newton steps (Lucas and Kanade, IJCAI 1981) until it is `enough`.
    """
    shares = np.ones(len(one))
    for start in range(0, len(one), _CHUNK):
        part = slice(start, start + _CHUNK)
        shares[part] = _aligned(one[part], other[part], enough)
    return shares


def lightness(thumbnails: np.ndarray) -> np.ndarray:
    """Grey thumbnails, float32, a little smoothed: finer detail falls differently in a copy.

    `thumbnails`: count × THUMBNAIL × THUMBNAIL × 3, uint8, RGB.
    """
    smooth = np.empty(thumbnails.shape[:3], np.float32)
    for start in range(0, len(thumbnails), _CHUNK):
        part = thumbnails[start : start + _CHUNK]
        grey = cv2.cvtColor(part.reshape(-1, THUMBNAIL, 3), cv2.COLOR_RGB2GRAY).reshape(part.shape[:3])
        wide = np.pad(grey.astype(np.float32), [(0, 0), (1, 1), (1, 1)], "edge")
        wide = wide[:, :-2] + 4 * wide[:, 1:-1] + wide[:, 2:]
        smooth[start : start + _CHUNK] = (wide[:, :, :-2] + 4 * wide[:, :, 1:-1] + wide[:, :, 2:]) / 36
    return smooth


def colour_distance(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Root mean square distance in a* and b* of each pair of `colour_patches`, in equal light."""
    first, second = one.reshape(len(one), -1, 3), other.reshape(len(other), -1, 3)
    # White that is cut off tells nothing of the light.
    used = _below(first, 250) & _below(second, 250)
    gain = (first * second * used).sum(axis=(1, 2)) / ((second**2 * used).sum(axis=(1, 2)) + 1)
    gain = np.where(used.any(axis=(1, 2)), np.clip(gain, *_GAIN), 1).astype(np.float32)
    shift = _lab(first) - _lab(np.minimum(second * gain[:, None, None], 255))
    return np.sqrt((shift[..., 1:] ** 2).sum(axis=2).mean(axis=1))


def colour_patches(thumbnails: np.ndarray) -> np.ndarray:
    """Mean colours of the parts of each thumbnail, count × 4 × 4 × 3, float32."""
    size = (_PATCHES, _PATCHES * len(thumbnails))
    rows = thumbnails.reshape(-1, THUMBNAIL, 3)
    patches = cv2.resize(rows, size, interpolation=cv2.INTER_AREA) if len(rows) else rows
    return patches.reshape(len(thumbnails), _PATCHES, _PATCHES, 3).astype(np.float32)


def _aligned(light: np.ndarray, other: np.ndarray, enough: float) -> np.ndarray:
    shares = np.ones(len(light))
    left = np.arange(len(light))
    place = np.zeros((len(light), 4), np.float32)  # shift and stretch in x, in y, in half sides
    moved = other
    for _ in range(_STEPS):
        share, step = _fit(light[left], moved)
        shares[left] = np.minimum(shares[left], share)
        place[left] = np.clip(place[left] + step, -0.3, 0.3)
        left = left[(share > enough) & (share < _HOPELESS * enough)]
        if not len(left):
            break
        moved = _moved(other[left], place[left])
    return shares


def _places() -> np.ndarray:
    """Centres of the pixels, from -1 to 1 over the thumbnail."""
    return ((np.arange(THUMBNAIL) + 0.5) / THUMBNAIL * 2 - 1).astype(np.float32)


def _moved(grey: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Each picture shifted and stretched, with bilinear interpolation; its edge goes on beyond it."""
    columns = _weights(place[:, 0], place[:, 1])
    rows = _weights(place[:, 2], place[:, 3])
    return rows @ grey @ columns.transpose(0, 2, 1)


def _weights(shift: np.ndarray, stretch: np.ndarray) -> np.ndarray:
    """Count × THUMBNAIL × THUMBNAIL: what each old pixel gives to each new one along one axis."""
    target = _places() * (1 + stretch[:, None]) + shift[:, None]
    pixel = np.clip((target + 1) / 2 * THUMBNAIL - 0.5, 0, THUMBNAIL - 1)
    return np.maximum(0, 1 - np.abs(pixel[:, :, None] - np.arange(THUMBNAIL, dtype=np.float32)))


def _fit(grey: np.ndarray, model: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The share of the variance of `grey` that the model leaves, and the step in place that would help it."""
    places = _places()
    slope_x, slope_y = np.zeros_like(model), np.zeros_like(model)
    slope_x[:, :, 1:-1] = (model[:, :, 2:] - model[:, :, :-2]) * (THUMBNAIL / 4)
    slope_y[:, 1:-1] = (model[:, 2:] - model[:, :-2]) * (THUMBNAIL / 4)
    parts = [model, slope_x, slope_x * places, slope_y, slope_y * places[:, None]]
    basis = np.stack([_middle(part) for part in parts], axis=1)
    basis -= basis.mean(axis=2, keepdims=True)
    target = _middle(grey)[..., None]
    target = target - target.mean(axis=1, keepdims=True)
    products = basis @ target
    factors = np.linalg.solve(
        basis @ basis.transpose(0, 2, 1) + np.eye(len(parts), dtype=np.float32), products
    )
    whole = (target**2).sum(axis=(1, 2))
    share = (whole - (products * factors).sum(axis=(1, 2))) / (whole + target.shape[1])
    gain = factors[:, :1, 0]
    lit = (gain > _GAIN[0]) & (gain < _GAIN[1])
    step = np.where(lit, factors[:, 1:, 0] / np.where(lit, gain, 1), 0)
    return np.where(lit[:, 0], share, 1.0), step


def _middle(values: np.ndarray) -> np.ndarray:
    """What is not margin, count × pixels."""
    inside = values[:, _MARGIN : THUMBNAIL - _MARGIN, _MARGIN : THUMBNAIL - _MARGIN]
    return inside.reshape(len(values), inside.shape[1] * inside.shape[2])


def _below(rgb: np.ndarray, limit: float) -> np.ndarray:
    """Where all channels are; NumPy takes ten times as long over an axis of three."""
    return ((rgb[..., 0] < limit) & (rgb[..., 1] < limit) & (rgb[..., 2] < limit))[..., None]


def _lab(rgb: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(rgb / np.float32(255), cv2.COLOR_RGB2LAB)
