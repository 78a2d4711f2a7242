"""Accuracy of the stone's box on real images, compared with published boxes, and its speed.

    python -m benchmarks.curation.boxes [--share 1.0] [--out FOLDER]

The images are gems68's, with the boxes of its authors' masks, which cover all stones of an image. One half,
chosen by the hash of the name, was used for tuning. Our three methods are compared with the published bare
Canny (fixed thresholds, the rectangle around all edges) and the rectangle around the bare u2netp mask.

Some published boxes are wrong. A box is disputed if two independent methods, the bare u2netp mask and our
classical mask, agree with each other (IoU of at least 0.92) but not with it (below 0.85). Figures are given
with and without these. --out receives a drawing of them: published red, u2netp blue, classical green.

On the demo store's rendered stones, with shadow, the true outline is known to the pixel.
"""

import argparse
import csv
import hashlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import cv2
import numpy as np

from benchmarks._commands import table
from benchmarks._shared import GEMS68, NO_GEMS68
from curation.cropping import segmentation as finding
from curation.cropping.edges import bounding_box
from curation.cropping.rembg_model import soft_mask
from curation.cropping.segmentation import Box, find_stone, shrink_for_model
from gemkit.image_codec import decode
from gemkit.progress import Progress
from scraper.demo_store.rendering import stones as rendering
from scraper.demo_store.rendering.varieties import BY_NAME

MODEL = "u2netp"
#: Canny thresholds of the published loop.
_CANNY = 100, 200
#: A published box is disputed if two others have at least the first IoU with each other, and less than the
#: second with it.
_AGREE, _DIFFER = 0.92, 0.85
_GOOD = 0.8
_RENDERED = 200
_PANEL, _COLUMNS = 200, 8
METHODS = ("bare Canny", "bare u2netp", "rembg", "classical", "auto")


class BoxedImage(NamedTuple):
    """An image with its published box, and the box and CPU milliseconds of each method.

    `trusted`: the classical method accepted its mask.
    """

    file: str
    published: Box
    boxes: dict[str, Box]
    ms: dict[str, float]
    trusted: bool

    def iou(self, method: str) -> float:
        return iou(self.boxes[method], self.published)

    @property
    def is_tuning(self) -> bool:
        return int(hashlib.sha256(self.file.encode()).hexdigest(), 16) % 2 == 0

    @property
    def is_disputed(self) -> bool:
        net, classical = self.boxes["bare u2netp"], self.boxes["classical"]
        differ = max(iou(net, self.published), iou(classical, self.published)) < _DIFFER
        return self.trusted and differ and iou(net, classical) >= _AGREE


def iou(left: Box, right: Box) -> float:
    """Intersection over union of two boxes."""
    width = min(left[2], right[2]) - max(left[0], right[0])
    height = min(left[3], right[3]) - max(left[1], right[1])
    both = max(width, 0) * max(height, 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (left, right)]
    return both / (sum(areas) - both)


def find(file: str, published: Box) -> BoxedImage:
    """All methods on one image. The network runs once; its time counts for each method that needs it."""
    image = decode((GEMS68 / "train" / file).read_bytes()).pixels
    whole = (0, 0, image.shape[1], image.shape[0])
    boxes, ms = {}, {}

    def clocked(method: str, function: Callable[[], Any]) -> Any:
        start = time.process_time()
        found = function()
        ms[method] = (time.process_time() - start) * 1000
        return found

    boxes["bare Canny"] = clocked("bare Canny", lambda: bare_canny(image)) or whole
    soft = clocked("bare u2netp", lambda: soft_mask(shrink_for_model(image), MODEL))
    boxes["bare u2netp"] = _in_source(bounding_box(soft >= 128), soft.shape, image.shape) or whole

    def once(view: np.ndarray, model: str) -> np.ndarray:
        return soft if view.shape[:2] == soft.shape else soft_mask(view, model)

    with mock.patch.object(finding, "soft_mask", once):
        by_network = clocked("rembg", lambda: find_stone(image, "rembg", MODEL, "all"))
    ms["rembg"] += ms["bare u2netp"]
    classical = clocked("classical", lambda: find_stone(image, "classical", MODEL, "all"))
    trusted = classical.method == "classical+canny"
    boxes["rembg"] = by_network.box or whole
    boxes["classical"] = classical.box or whole
    boxes["auto"] = boxes["classical" if trusted else "rembg"]
    ms["auto"] = ms["classical"] + (0 if trusted else ms["rembg"])
    return BoxedImage(file, published, boxes, ms, trusted)


def bare_canny(image: np.ndarray) -> Box | None:
    """The published rectangle around all edges of an RGB image; None without edges."""
    return bounding_box(cv2.Canny(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), *_CANNY).astype(bool))


def _in_source(box: Box | None, view: tuple[int, ...], source: tuple[int, ...]) -> Box | None:
    if box is None:
        return None
    x, y = source[1] / view[1], source[0] / view[0]
    return round(box[0] * x), round(box[1] * y), round(box[2] * x), round(box[3] * y)


def select(share: float) -> Iterator[tuple[str, Box]]:
    """File and published box of that share of the images, chosen by their hashes."""
    with (GEMS68 / "train_boxes.csv").open() as lines:
        for row in csv.DictReader(lines):
            digest = hashlib.sha256(b"share" + row["file"].encode()).digest()
            if int.from_bytes(digest[:4]) < share * 2**32:
                yield row["file"], (int(row["x0"]), int(row["y0"]), int(row["x1"]), int(row["y1"]))


def report(found: list[BoxedImage]) -> str:
    """Mean IoU and share of good boxes of each method, on all images and on parts of them."""
    undisputed = [boxed for boxed in found if not boxed.is_disputed]
    parts = {
        "all": found,
        "not tuned on": [boxed for boxed in found if not boxed.is_tuning],
        "undisputed": undisputed,
        "undisputed, not tuned on": [boxed for boxed in undisputed if not boxed.is_tuning],
        "classical mask accepted": [boxed for boxed in found if boxed.trusted],
    }
    lines = []
    for name, part in parts.items():
        for method in METHODS if part else ():
            scores = np.array([boxed.iou(method) for boxed in part])
            good = f"{np.mean(scores >= _GOOD):.1%}"
            lines.append(
                [name, str(len(part)), method, f"{scores.mean():.3f}", good, f"{np.median(scores):.3f}"]
            )
    return table(["images", "count", "method", "mean IoU", f"IoU >= {_GOOD}", "median"], lines)


def times(found: list[BoxedImage]) -> str:
    """Median CPU milliseconds per image of each method, and their ratio to the network alone."""
    medians = {method: float(np.median([boxed.ms[method] for boxed in found])) for method in METHODS[:-1]}
    medians["auto (mean)"] = float(np.mean([boxed.ms["auto"] for boxed in found]))
    network = medians["bare u2netp"]
    lines = [[method, f"{ms:.1f}", f"{ms / network:.3f}"] for method, ms in medians.items()]
    return table(["method", "CPU ms", "/ u2netp"], lines)


def draw(found: list[BoxedImage]) -> np.ndarray:
    """A montage, RGB, of images with the published, the u2netp and the classical box."""
    panels = []
    for boxed in found:
        view = shrink_for_model(decode((GEMS68 / "train" / boxed.file).read_bytes()).pixels)
        source = _size(boxed)
        for box, colour in (
            (boxed.boxes["bare u2netp"], (40, 60, 255)),
            (boxed.boxes["classical"], (0, 190, 60)),
            (boxed.published, (255, 0, 0)),
        ):
            left, top, right, bottom = _in_source(box, source, view.shape) or (0, 0, 1, 1)
            cv2.rectangle(view, (left, top), (right - 1, bottom - 1), colour, 2)
        scale = _PANEL / max(view.shape)
        small = cv2.resize(view, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)[:_PANEL, :_PANEL]
        panel = np.full((_PANEL + 16, _PANEL, 3), 255, np.uint8)
        panel[16 : 16 + small.shape[0], : small.shape[1]] = small
        caption = f"{boxed.file.split('/')[-1]} {boxed.iou('auto'):.2f}"
        cv2.putText(panel, caption, (2, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 0, 0), 1, cv2.LINE_AA)
        panels.append(panel)
    while len(panels) % _COLUMNS:
        panels.append(np.full_like(panels[0], 255))
    rows = [np.concatenate(panels[at : at + _COLUMNS], 1) for at in range(0, len(panels), _COLUMNS)]
    return np.concatenate(rows)


def _size(boxed: BoxedImage) -> tuple[int, int]:
    from PIL import Image

    with Image.open(GEMS68 / "train" / boxed.file) as image:
        return image.height, image.width


def rendered(count: int) -> str:
    """The classical method on rendered stones: IoU of box and mask with the true outline."""
    names = sorted(BY_NAME)
    lines = []
    boxes, masks = [], []
    for number in range(count):
        image, truth = _photograph(names[number % len(names)], number)
        stone = find_stone(image, "classical", MODEL, "largest")
        box = bounding_box(truth)
        if box is None or stone.mask is None or stone.box is None:
            continue
        full = cv2.resize(stone.mask, truth.shape[::-1], interpolation=cv2.INTER_LINEAR) >= 128
        boxes.append(iou(stone.box, box))
        masks.append((full & truth).sum() / (full | truth).sum())
    lines.append([
        str(count), f"{len(boxes) / count:.1%}", f"{np.mean(boxes):.3f}", f"{np.min(boxes):.3f}",
        f"{np.mean(masks):.3f}", f"{np.min(masks):.3f}",
    ])  # fmt: skip
    return table(["rendered", "trusted", "box IoU", "least", "mask IoU", "least"], lines)


def _photograph(name: str, number: int) -> tuple[np.ndarray, np.ndarray]:
    """A photo of the demo store, and its stone pixels, bool."""
    outline = {}

    def cast(image: np.ndarray, cover: np.ndarray, body: np.ndarray, left: int, top: int, rng: Any) -> None:
        truth = np.zeros(image.shape[:2], bool)
        truth[top : top + len(cover), left : left + len(cover)] = cover >= 0.5
        outline["truth"] = truth
        cast_shadow(image, cover, body, left, top, rng)

    cast_shadow = rendering._cast_shadow
    with mock.patch.object(rendering, "_cast_shadow", cast):
        rgb = rendering.photograph(name, (77, number), number % 3)
    jpeg = cv2.imencode(".jpg", np.ascontiguousarray(rgb[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 88])[1]
    return decode(jpeg.tobytes()).pixels, outline["truth"]


def main() -> None:
    """Print the tables and the disputed boxes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--share", type=float, default=1.0, help="of the images")
    parser.add_argument("--out", type=Path, help="folder for the drawing of the disputed boxes")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    print(rendered(_RENDERED))
    if not GEMS68.exists():
        print(NO_GEMS68)
        return
    chosen = list(select(options.share))
    found = []
    with Progress("boxes", len(chosen)) as progress:
        for file, published in chosen:
            found.append(find(file, published))
            progress.advance(1)
    print(report(found))
    print(times(found))
    disputed = sorted((boxed for boxed in found if boxed.is_disputed), key=lambda boxed: boxed.iou("auto"))
    print(f"disputed: {len(disputed)}")
    for boxed in disputed:
        ours = boxed.boxes["auto"]
        print(f"  {boxed.file}: published {boxed.published}, ours {ours}, IoU {boxed.iou('auto'):.2f}")
    if options.out and disputed:
        options.out.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(options.out / "disputed.png"), np.ascontiguousarray(draw(disputed)[..., ::-1]))


if __name__ == "__main__":
    main()
