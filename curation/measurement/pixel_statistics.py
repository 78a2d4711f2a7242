"""What is measured on the pixels of one image. `pixels` is always height × width × 3, uint8, RGB.

Colours, regions and sharpness are measured on a picture of 64 pixels, where they cost a fraction of the
decode; that is where the rules' thresholds hold, whatever the size of the file. A plain frame around it is
left out: it says nothing of what it frames.
"""

from typing import Any

import cv2
import numpy as np
import xxhash

from curation.imaging.border import inside_frame
from curation.imaging.resize import fit, halve, halve_towards
from curation.measurement.foreground import limbs, longest_at_border, median, scene, stone_regions
from curation.measurement.ocr import LOOK_SIDE, stroke_density
from curation.measurement.perceptual_hash import picture_hashes
from curation.measurement.shape_features import picture_traits

#: Longer side of the picture that the hashes are taken of, and half of it, for everything else.
SIDE = 128

#: Share of the shorter side that counts as the border.
_BORDER = 0.04

#: Spread of Lab colour (root of the summed variances) at which a border is not uniform at all.
_BORDER_SPREAD = 40.0

#: Lightness from which on a pixel is burnt out.
_CLIPPED = 99.0

#: Skin in Cr and Cb (Chai and Ngan, IEEE Trans. CSVT 9(4), 1999), and in hue (degrees, around red) and
#: saturation (after Sobottka and Pitas, ICIP 1996). Limits moved on 1,000 photos of stones: pinkish white
#: paper is paler than skin, a citrine more vivid.
_SKIN_CR, _SKIN_CB = (135, 173), (77, 127)
_SKIN_HUE, _SKIN_SATURATION = (-30, 50), (0.12, 0.70)
#: Least share of the image that a region of skin covers.
_SKIN_REGION = 0.02


def measure_pixels(pixels: np.ndarray) -> dict[str, Any]:
    """The columns of MEASURED that come from the pixels, but for the text found; hashes in hexadecimal."""
    height, width = pixels.shape[:2]
    reduced = halve_towards(pixels, LOOK_SIDE)
    picture = fit(reduced, SIDE)
    small = halve(picture)
    whole = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    rows, columns = inside = inside_frame(whole)
    small, lab = np.ascontiguousarray(small[inside]), np.ascontiguousarray(whole[inside])
    seen = scene(lab)
    regions = stone_regions(seen)
    corner, size = np.tile((columns.start, rows.start), 2), np.tile(whole.shape[1::-1], 2)
    return {
        "width": width,
        "height": height,
        "pixel_hash": pixel_hash(pixels),
        **picture_hashes(picture),
        "centre_lab": _rounded(cv2.mean(_centre(lab))[:3]),
        **_light(cv2.extractChannel(lab, 0)),
        "sharpness": _sharpness(small),
        **_border_colour(lab),
        "background_residual": seen.background.residual,
        **_skin(small),
        **limbs(seen),
        **regions,
        "stone_box": _rounded((regions["stone_box"] + corner) / size),
        "traits": picture_traits(seen),
        "text_look": stroke_density(reduced),
    }


def pixel_hash(pixels: np.ndarray) -> str:
    """XXH3 (128 bits) of the pixels and their shape: equal for files that differ in container or metadata."""
    digest = xxhash.xxh3_128(f"{pixels.shape}".encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def _centre(values: np.ndarray) -> np.ndarray:
    height, width = values.shape[:2]
    return values[height // 4 : max(1, height - height // 4), width // 4 : max(1, width - width // 4)]


def _light(lightness: np.ndarray) -> dict[str, float]:
    """Lightness (L*): mean, deviation, darkest and brightest hundredth, burnt-out share of the centre."""
    mean, deviation = cv2.meanStdDev(lightness)
    hundredth = lightness.size // 100
    ends = (hundredth, lightness.size - 1 - hundredth)
    darkest, brightest = np.partition(lightness, ends, axis=None)[[*ends]]
    return {
        "brightness": float(mean[0, 0]),
        "contrast": float(deviation[0, 0]),
        "darkest": float(darkest),
        "brightest": float(brightest),
        "clipped_share": float((_centre(lightness) >= _CLIPPED).mean()),
    }


def _sharpness(small: np.ndarray) -> float:
    """Standard deviation of the Laplacian of the grey picture."""
    laplacian = cv2.Laplacian(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), cv2.CV_16S)
    return float(cv2.meanStdDev(laplacian)[1][0, 0])


def _border_colour(lab: np.ndarray) -> dict[str, Any]:
    height, width = lab.shape[:2]
    depth = max(1, round(_BORDER * min(height, width)))
    strips = (lab[:depth], lab[-depth:], lab[:, :depth], lab[:, -depth:])
    border = np.concatenate([strip.reshape(-1, 3) for strip in strips])
    spread = float(np.linalg.norm(cv2.meanStdDev(border.reshape(1, -1, 3))[1]))
    return {
        "background_uniformity": max(0.0, 1 - spread / _BORDER_SPREAD),
        "background_lab": _rounded(median(border)),
    }


def _skin(small: np.ndarray) -> dict[str, float]:
    """Pixels of skin colour, and the region of them that meets the border over the longest run."""
    _, red, blue = cv2.split(cv2.cvtColor(small, cv2.COLOR_RGB2YCrCb))
    hue, saturation, _ = cv2.split(cv2.cvtColor(small, cv2.COLOR_RGB2HSV))
    # OpenCV's 8-bit hue counts in steps of two degrees, its saturation to 255.
    hue = (hue.astype(np.int16) * 2 + 180) % 360 - 180
    limits = (
        (red, _SKIN_CR),
        (blue, _SKIN_CB),
        (hue, _SKIN_HUE),
        (saturation, tuple(share * 255 for share in _SKIN_SATURATION)),
    )
    skin = np.logical_and.reduce([(values >= low) & (values <= high) for values, (low, high) in limits])
    found = longest_at_border(skin.astype(np.uint8), _SKIN_REGION)
    return {
        "skin_share": float(skin.mean()),
        "skin_region_share": float(found[0].mean()) if found else 0.0,
        "skin_border_share": found[1] if found else 0.0,
    }


def _rounded(values: Any) -> list[float]:
    return [float(value) for value in values]
