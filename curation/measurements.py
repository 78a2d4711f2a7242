"""What is measured on the pixels of one image. `pixels` is always height × width × 3, uint8, RGB."""

import hashlib
from typing import Any

import cv2
import imagehash
import numpy as np
from PIL import Image

#: Longer side at which everything but the text is measured.
SIDE = 256

#: Share of the shorter side that counts as the border.
_BORDER = 0.04

#: Spread of Lab colour (root of the summed variances) at which a border is not uniform at all.
_BORDER_SPREAD = 40.0

#: Skin in Cr and Cb (Chai and Ngan, IEEE Trans. CSVT 9(4), 1999), and in hue (degrees, around red) and
#: saturation (after Sobottka and Pitas, ICIP 1996). Limits moved on 1,000 photos of stones: pinkish white
#: paper is paler than skin, a citrine more vivid.
_SKIN_CR, _SKIN_CB = (135, 173), (77, 127)
_SKIN_HUE, _SKIN_SATURATION = (-30, 50), (0.12, 0.70)


def measure_pixels(pixels: np.ndarray) -> dict[str, Any]:
    """All columns of MEASURED that come from the pixels, but for the text; hashes in hexadecimal."""
    height, width = pixels.shape[:2]
    small = _resized(pixels)
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    lightness = lab[..., 0]
    return {
        "width": width,
        "height": height,
        "pixel_sha256": pixel_hash(pixels),
        **_hashes(small),
        "centre_lab": _rounded(_centre(lab).reshape(-1, 3).mean(axis=0)),
        "brightness": float(lightness.mean()),
        "contrast": float(lightness.std()),
        "sharpness": float(cv2.Laplacian(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), cv2.CV_32F).var()),
        **_background(lab),
        **_skin(small),
    }


def pixel_hash(pixels: np.ndarray) -> str:
    """SHA-256 of the pixels and their shape: equal for files that differ only in container or metadata."""
    digest = hashlib.sha256(f"{pixels.shape}".encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def _resized(pixels: np.ndarray) -> np.ndarray:
    height, width = pixels.shape[:2]
    scale = SIDE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)


def _hashes(small: np.ndarray) -> dict[str, str]:
    """DCT hashes of 64 and of 256 bits."""
    grey = Image.fromarray(small).convert("L")
    return {
        name: np.packbits(imagehash.phash(grey, hash_size=side).hash).tobytes().hex()
        for name, side in (("phash", 8), ("phash256", 16))
    }


def _centre(values: np.ndarray) -> np.ndarray:
    height, width = values.shape[:2]
    return values[height // 4 : max(1, height - height // 4), width // 4 : max(1, width - width // 4)]


def _border(values: np.ndarray) -> np.ndarray:
    """The border's pixels as one row."""
    height, width = values.shape[:2]
    depth = max(1, round(_BORDER * min(height, width)))
    inside = np.zeros((height, width), bool)
    inside[depth : height - depth, depth : width - depth] = True
    return values[~inside]


def _background(lab: np.ndarray) -> dict[str, Any]:
    border = _border(lab)
    spread = float(np.sqrt(border.var(axis=0).sum()))
    return {
        "background_uniformity": max(0.0, 1 - spread / _BORDER_SPREAD),
        "background_lab": _rounded(np.median(border, axis=0)),
    }


def _skin(small: np.ndarray) -> dict[str, float]:
    """Pixels of skin colour, and how far regions of them reach in from the image's border."""
    _, red, blue = cv2.split(cv2.cvtColor(small, cv2.COLOR_RGB2YCrCb))
    hue, saturation, _ = cv2.split(cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2HSV))
    hue = np.where(hue > 180, hue - 360, hue)
    limits = ((red, _SKIN_CR), (blue, _SKIN_CB), (hue, _SKIN_HUE), (saturation, _SKIN_SATURATION))
    inside = np.logical_and.reduce([(values >= low) & (values <= high) for values, (low, high) in limits])
    skin = cv2.morphologyEx(inside.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    _, regions, stats, _ = cv2.connectedComponentsWithStats(skin, connectivity=4)
    border = _border(regions)
    touching = np.unique(border[border > 0])
    largest = stats[touching, cv2.CC_STAT_AREA].max() if len(touching) else 0
    return {
        "skin_share": float((skin > 0).mean()),
        "skin_border_share": float((border > 0).mean()),
        "skin_region_share": float(largest / skin.size),
    }


def _rounded(values: np.ndarray) -> list[float]:
    return [float(value) for value in values]
