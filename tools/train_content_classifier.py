"""Fit the weights of the content classifier to the demo store; writes curation/cleaning/content_weights.json.

    python -m tools.train_content_classifier [--seeds 1 3] [--cases 300] [--stones 700]

Besides the store's images it is fitted to altered images of single stones: cropped closely, so that the stone
meets the border; with the outline and steps of a square cut; stretched, polished, recoloured or on white.
Real stores have such images, the demo store does not. Evaluate the rules on other seeds.
"""

import argparse
from collections.abc import Mapping, Sequence
from itertools import pairwise

import cv2
import numpy as np
from sklearn.linear_model import LogisticRegression

from benchmarks.curation.cleaning import Case, choose_cases, render_cases
from curation.cleaning.content_classifier import (
    CONTENT_CLASSES,
    INPUTS,
    MEASURED_INPUTS,
    inputs,
    standardised,
)
from curation.cleaning.content_weights import ContentWeights, InputWeights, write_weights
from curation.imaging.resize import fit
from curation.measurement.pixel_statistics import SIDE, PixelMeasurements, measure_pixels
from curation.measurement.shape_features import ShapeFeatures
from gemkit.arrays import Array, Floats
from gemkit.executor.local import map_shards
from gemkit.image_codec import ImageError, decode
from gemkit.progress import Progress
from scraper.demo_store.catalogue import Photo, build

#: Kind of photo in the demo store → content class, without copies and broken files.
CONTENT_OF = {
    "stone": "stone", "stock": "stone", "watermark": "stone", "several": "several", "hand": "hand",
    "glove": "hand", "no_stone": "no_stone", "blank": "unclear", "blurred": "unclear", "dark": "unclear",
    "bright": "unclear", "banner": "printed", "size_chart": "printed", "certificate": "printed",
    "placeholder": "printed", "screenshot": "printed",
}  # fmt: skip

_SHARD = 16
#: Inverse strength of the L2 regularisation.
_INVERSE_REGULARISATION = 1.0

#: Measurements of an image and its content class.
Example = tuple[PixelMeasurements, str]


def examples(photos: Sequence[tuple[Photo, int]]) -> list[Example]:
    """Examples from each photo and from altered versions of it; the number seeds the alterations."""
    found: list[Example] = []
    for photo, number in photos:
        found += examples_of(render_cases([Case(photo)])[0], photo.kind, number)
    return found


def examples_of(content: bytes, kind: str, number: int) -> list[Example]:
    """Examples from one file, as in `examples`."""
    try:
        pixels = decode(content).pixels
    except ImageError:
        return []
    measured = measure_pixels(pixels)
    found = [(measured, CONTENT_OF[kind])]
    if kind != "stone":
        return found
    random = np.random.default_rng(number)
    small = fit(pixels, SIDE)
    made = [(small, measured.stroke_density)]
    if measured.stone.stones:
        made.append((_step_cut(small, measured.stone.stone_box, random), measured.stroke_density))
    close = _close(pixels, measured.stone.stone_box, random)
    if close is not None:
        found.append((measure_pixels(close), "stone"))
        if number % 2:
            made.append((fit(close, SIDE), found[-1][0].stroke_density))
    for image, stroke_density in made:
        # The stroke density of the full image is kept: strokes on the small image would be thinner.
        altered = measure_pixels(_altered(image, random))._replace(stroke_density=stroke_density)
        found.append((altered, "stone"))
    return found


def _close(pixels: Array, box: Sequence[float], random: np.random.Generator) -> Array | None:
    """A close crop around the stone, which may cut some of it off; None if it would be too small."""
    height, width = pixels.shape[:2]
    left, top, right, bottom = box
    more = random.uniform(-0.12, 0.06, 4) * [right - left, bottom - top, right - left, bottom - top]
    left, top = max(0, left - more[0]), max(0, top - more[1])
    right, bottom = min(1, right + more[2]), min(1, bottom + more[3])
    cut = pixels[int(top * height) : int(bottom * height), int(left * width) : int(right * width)]
    return np.ascontiguousarray(cut) if right > left and min(cut.shape[:2]) >= 40 else None


def _step_cut(image: Array, box: Sequence[float], random: np.random.Generator) -> Array:
    """The stone's surface in a square step cut, on the colour of the border.

    The cut is nested octagons, slightly rotated, whose sides are facets of random brightness.
    """
    height, width = image.shape[:2]
    corner, opposite = np.array(box).reshape(2, 2) * [width, height]
    columns, rows = ((opposite - corner) / 2).astype(int) + 2
    surface = cv2.getRectSubPix(image, (int(columns), int(rows)), (corner + opposite) / 2)
    half, cut = random.uniform(0.2, 0.42, 2) * [width, height], random.uniform(0.02, 0.35)
    octagon = np.array([[-1, cut - 1], [cut - 1, -1], [1 - cut, -1], [1, cut - 1]])
    turn = np.exp(1j * random.normal(0, 0.1))
    corners = (np.concatenate([octagon, -octagon]) * half) @ [[turn.real, turn.imag], [-turn.imag, turn.real]]
    light, contrast = np.ones((height, width), np.float32), random.uniform(0, 0.35)
    steps = np.array([1, *np.sort(random.uniform(0.35, 0.9, 3))[::-1]])[:, None, None]
    rings = (corners * steps + np.array([width, height]) / 2).round().astype(np.int32)
    for outer, inner in pairwise(rings):
        for start in range(8):
            end = (start + 1) % 8
            facet = np.array([outer[start], outer[end], inner[end], inner[start]])
            cv2.fillPoly(light, [facet], 1 + contrast * random.normal())
    inside = cv2.fillPoly(np.zeros((height, width), np.float32), [rings[0]], 1)
    inside = cv2.GaussianBlur(inside, (0, 0), 0.7)[..., None]
    stone = cv2.resize(surface, (width, height)) * light[..., None]
    ground = np.median(np.concatenate([image[0], image[-1]]), axis=0)
    mixed: Array = inside * stone + (1 - inside) * ground
    return mixed.clip(0, 255).astype(np.uint8)


def _altered(image: Array, random: np.random.Generator) -> Array:
    """The image in another colour and brightness, and randomly stretched, polished or on white."""
    height, width = image.shape[:2]
    if random.random() < 0.6:
        factor = random.uniform(0.55, 1)
        sizes = ((max(48, int(width * factor)), height), (width, max(48, int(height * factor))))
        image = cv2.resize(image, sizes[random.integers(2)], interpolation=cv2.INTER_AREA)
    if random.random() < 0.6:
        image = cv2.bilateralFilter(
            np.ascontiguousarray(image), 9, random.uniform(30, 120), random.uniform(2, 8)
        )
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.float32)
    turn, vivid = np.exp(1j * random.uniform(-np.pi, np.pi)), random.uniform(0.5, 1.6)
    colour = vivid * turn * ((lab[..., 1] - 128) + 1j * (lab[..., 2] - 128))
    lab[..., 0] = 255 * (lab[..., 0] / 255) ** random.uniform(0.6, 1.8)
    lab[..., 1], lab[..., 2] = 128 + colour.real, 128 + colour.imag
    image = cv2.cvtColor(lab.clip(0, 255).astype(np.uint8), cv2.COLOR_LAB2RGB)
    if random.random() < 0.3:
        ground = np.maximum(90, np.median(np.concatenate([image[0], image[-1]]), axis=0))
        image = (image * (252 / ground)).clip(0, 255).astype(np.uint8)
    return image


def fit_weights(found: Sequence[Example]) -> ContentWeights:
    """Fit the weights to examples; they have three decimals."""
    values = inputs(_columns([measured for measured, _ in found]))
    mean, deviation = values.mean(axis=0), values.std(axis=0) + 1e-9
    model = LogisticRegression(C=_INVERSE_REGULARISATION, max_iter=3000)
    model.fit(standardised(values, mean, deviation), [CONTENT_CLASSES.index(kind) for _, kind in found])
    columns = zip(INPUTS, mean, deviation, *np.split(model.coef_.T, 2), strict=True)
    return ContentWeights(
        bias=_by_class(model.intercept_),
        inputs={
            name: InputWeights(
                mean=round(float(centre), 3),
                deviation=round(float(spread), 3),
                weights=_by_class(weights),
                squares=_by_class(squares),
            )
            for name, centre, spread, weights, squares in columns
        },
    )


def _columns(measured: Sequence[PixelMeasurements]) -> Mapping[str, Array]:
    """The columns of MEASURED that `inputs` needs."""
    rows = [image.columns() for image in measured]
    features = [image.shape_features for image in measured]
    names = (*MEASURED_INPUTS, "background_lab", "stone_box")
    return {name: np.array([row[name] for row in rows]) for name in names} | {
        name: np.array(values)
        for name, values in zip(ShapeFeatures._fields, zip(*features, strict=True), strict=True)
    }


def _by_class(values: Floats) -> dict[str, float]:
    return {name: round(float(value), 3) for name, value in zip(CONTENT_CLASSES, values, strict=True)}


def main() -> None:
    """Fit the weights and write them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 3])
    parser.add_argument("--cases", type=int, default=300, help="images that each rule must drop")
    parser.add_argument("--stones", type=int, default=700, help="good images")
    options = parser.parse_args()
    found: list[Example] = []
    for seed in options.seeds:
        cases = choose_cases(build(seed, 1.0, dirt=options.cases / 10), options.cases, options.stones)
        photos = [case.photo for case in cases if case.photo.kind in CONTENT_OF and not case.repacked]
        numbered = list(zip(photos, range(len(photos)), strict=True))
        shards = [numbered[start : start + _SHARD] for start in range(0, len(numbered), _SHARD)]
        with Progress(f"seed {seed}", len(shards)) as progress:
            for measured in map_shards(examples, shards):
                found += measured
                progress.advance()
    write_weights(fit_weights(found))


if __name__ == "__main__":
    main()
