"""Hashes and a thumbnail that survive framing, cropping, relighting and mirroring.

All are computed on the content box, which is centred on the mean of the pixels that stand out from the
background and scaled by their spread in x and y. A cropped or framed copy has the same box around the same
stone.
"""

from typing import NamedTuple

import cv2
import imagehash
import numpy as np
import scipy.fft
from PIL import Image

from gemkit.arrays import Array

#: Side of the thumbnail of the content box, in pixels.
THUMBNAIL = 16

#: The content box is found in the image reduced by an integer factor, to at least this many pixels.
_SIDE = 64

#: Half sides of the content box in standard deviations; a uniform image spans ±√3.
_REACH = 1.6

#: A frame's maximum depth as a share of a side, its tolerance in grey levels, the maximum share of its pixels
#: beyond that tolerance, and the minimum share of its length over which it ends at once.
_FRAME_DEPTH, _FRAME_LEVELS, _FRAME_NOISE, _FRAME_END = 0.15, 8, 0.03, 0.8


class PerceptualHashes(NamedTuple):
    """`thumbnail`: the content box as THUMBNAIL × THUMBNAIL × 3 bytes of RGB; `phash`: its 64-bit DCT hash;
    `phash_mirrored`: that of its mirror image.
    """

    phash: bytes
    phash_mirrored: bytes
    thumbnail: bytes


def perceptual_hashes(image: Array) -> PerceptualHashes:
    """The hashes of an image, height × width × 3, uint8, RGB, of any size (256 pixels are enough)."""
    inside = _without_frame(_reduced(image))
    thumbnail = _cut(inside, *_content_box(_saliency(inside)))
    grey = cv2.cvtColor(thumbnail, cv2.COLOR_RGB2GRAY)
    return PerceptualHashes(
        phash=_packed(imagehash.phash(Image.fromarray(grey), highfreq_factor=2).hash),
        phash_mirrored=_packed(_mirrored_phash(grey)),
        thumbnail=thumbnail.tobytes(),
    )


def _mirrored_phash(grey: Array) -> Array:
    """The bits of imagehash.phash of the mirror image, whose odd horizontal frequencies change sign."""
    frequencies = scipy.fft.dctn(grey.astype(np.float64), type=2)[:8, :8]
    frequencies[:, 1::2] *= -1
    bits: Array = frequencies > np.median(frequencies)
    return bits


def _packed(bits: Array) -> bytes:
    return np.packbits(bits).tobytes()


def _reduced(image: Array) -> Array:
    # OpenCV is several times as fast with an integer factor.
    height, width = image.shape[:2]
    factor = max(1, max(height, width) // _SIDE)
    size = (max(8, width // factor), max(8, height // factor))
    whole = image[: size[1] * factor, : size[0] * factor]
    return cv2.resize(whole, size, interpolation=cv2.INTER_AREA)


def _without_frame(small: Array) -> Array:
    """The image inside a frame of the corner's colour, which may be on some sides only."""
    colour = small[0, 0].astype(float)
    unlike = 255 - cv2.inRange(small, colour - _FRAME_LEVELS, colour + _FRAME_LEVELS)
    rows = cv2.reduce(unlike, 1, cv2.REDUCE_AVG, dtype=cv2.CV_32F).ravel() / 255
    columns = cv2.reduce(unlike, 0, cv2.REDUCE_AVG, dtype=cv2.CV_32F).ravel() / 255
    top, bottom = _frame_depth(rows, columns), _frame_depth(rows[::-1], columns)
    left, right = _frame_depth(columns, rows), _frame_depth(columns[::-1], rows)
    return small[top : len(rows) - bottom, left : len(columns) - right]


def _frame_depth(lines: Array, across: Array) -> int:
    """The depth of the frame in lines: lines like the corner, ended by a line that differs almost everywhere.

    `lines` and `across` are the shares of each row and column (or the reverse) that differ from the corner.
    """
    depth = int((lines > _FRAME_NOISE).argmax())
    if not 0 < depth <= _FRAME_DEPTH * len(lines):
        return 0
    whole = (across > _FRAME_NOISE).mean()
    if lines[depth : depth + 2].max() < _FRAME_END * whole:
        return 0
    return depth + 1  # the line in which frame and image mix


def _saliency(small: Array) -> Array:
    """How much each pixel stands out from the colour of the corners, 0 to 1."""
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB)
    height, width = small.shape[0] // 8 + 1, small.shape[1] // 8 + 1
    ends = np.concatenate([lab[:height], lab[-height:]])
    corners = np.concatenate([ends[:, :width], ends[:, -width:]], axis=1).reshape(-1, 3)
    corners.sort(axis=0)
    difference = lab - corners[len(corners) // 2].astype(np.float32)
    difference[..., 0] *= 100 / 255
    distance = np.sqrt(np.einsum("ijk,ijk->ij", difference, difference))
    rank = int(0.95 * (distance.size - 1))
    far = np.partition(distance, rank, axis=None)[rank]
    saliency: Array = np.clip((distance - max(8.0, 0.35 * far)) / (0.3 * far + 1e-3), 0, 1)
    return saliency


def _content_box(weights: Array) -> tuple[float, float, float, float]:
    """Centre x and y, half width and half height of the content box, in pixels."""
    moments = cv2.moments(weights)
    mass = moments["m00"]
    if mass < 1:
        return _content_box(np.ones_like(weights))
    return (
        moments["m10"] / mass,
        moments["m01"] / mass,
        _REACH * (1 + np.sqrt(moments["mu20"] / mass)),
        _REACH * (1 + np.sqrt(moments["mu02"] / mass)),
    )


def _cut(small: Array, x: float, y: float, half_width: float, half_height: float) -> Array:
    """The box as a thumbnail, with the image's edge replicated beyond it."""
    side = 2 * THUMBNAIL
    step_x, step_y = 2 * half_width / side, 2 * half_height / side
    matrix = np.array([[step_x, 0, x - half_width + step_x / 2], [0, step_y, y - half_height + step_y / 2]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    cut = cv2.warpAffine(small, matrix, (side, side), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return cv2.resize(cut, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
