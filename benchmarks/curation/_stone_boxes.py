"""Boxes that a person drew around the stones of real pictures, and the boxes that `crop` finds in them.

`stone_boxes.csv` has numbers only: a picture is recognised by the SHA-256 of its file. The box is that of the
stone itself, without tweezers, box, shadow or mirror image, within about 2 % of its sides. Its kind is what
is around the stone: nothing (plain), rocks, wood or leaves (scene), a gem box or folded paper (box),
tweezers; "retouched" is a plain picture that a program made or cleared.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.curation.boxes import iou
from curation.cropping.crop_image import crop_file
from curation.cropping.params import CropParams
from curation.cropping.segmentation import Box
from gemkit.executor.base import GivenUp, Limits
from gemkit.executor.local import map_items
from gemkit.progress import Progress
from gemkit.records import read_csv

_BOXES = Path(__file__).with_name("stone_boxes.csv")


@dataclass(frozen=True)
class StoneBox:
    """A row of the file: a picture's SHA-256 and size, and the box's edges, in pixels."""

    sha256: str
    width: int
    height: int
    kind: str
    left: int
    top: int
    right: int
    bottom: int

    @property
    def box(self) -> Box:
        return self.left, self.top, self.right, self.bottom


def read_boxes(path: Path = _BOXES) -> dict[str, StoneBox]:
    """The boxes by SHA-256 of their pictures. Raises OSError and InvalidRecord."""
    return {row.sha256: row for row in read_csv(StoneBox, path)}


def crop_scores(pictures: Mapping[Path, StoneBox], settings: CropParams, limits: Limits) -> dict[str, float]:
    """IoU of each crop with the drawn box, by SHA-256. Without a stone, a crop is the whole picture."""
    scores = {}
    with Progress("crop", len(pictures)) as progress:
        for finished in map_items(partial(_stone_box, settings=settings), list(pictures), limits):
            for path, found in finished:
                known = pictures[path]
                whole = (0, 0, known.width, known.height)
                box = whole if isinstance(found, GivenUp) or found is None else found
                scores[known.sha256] = iou(box, known.box)
            progress.advance(len(finished))
    return scores


def _stone_box(path: Path, settings: CropParams) -> Box | None:
    return crop_file(path, settings).record.stone_box
