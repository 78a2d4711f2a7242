"""The crops section: how the stones were found, with samples and intermediate steps."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from PIL import Image

from curation.cropping.params import CropParams
from curation.imaging.centre_crop import cut_centre, stored_side
from curation.inspect.steps import FIGURE
from curation.report.data import Images
from curation.report.sampling import absent, commonest
from curation.report.thumbnails import Album, Frame, Thumbnail, data_uri, thumbnail_uri
from curation.tables import CROPS
from gemkit.image_codec import ImageError, decode, decode_rgb
from gemkit.project import Project
from gemkit.tables import read_rows, read_table

_SAMPLES = 8
#: Width in pixels to which the figure of the steps is shrunk.
_STEPS_WIDTH = 860

#: Descriptions of the methods, for people.
_METHODS = {
    "classical+canny": "by the uniform colour of the background, and by edges",
    "rembg+canny": "by a background removal network, and by edges",
    "canny": "by edges only",
    "original": "not found: the whole image is kept",
}


@dataclass(frozen=True)
class CropSample:
    """An image with the boxes found in it, and its crop (a data URI)."""

    original: Thumbnail
    crop: str
    method: str


@dataclass(frozen=True)
class Crops:
    """`meanings`: descriptions of the methods; `areas`: quartiles of the share of the image that is stone;
    `steps`: the figure of the steps (a data URI) with its size.
    """

    missing: str | None
    count: int = 0
    size: int = 0
    methods: list[tuple[str, int]] = field(default_factory=list)
    meanings: dict[str, str] = field(default_factory=dict)
    areas: list[float] = field(default_factory=list)
    samples: list[CropSample] = field(default_factory=list)
    steps: tuple[str, int, int] | None = None


def crops_missing(project: Project, size: int) -> str | None:
    """Why there are no crops of this size; None if there are."""
    folder = project.crops
    if next(folder.glob("*.parquet"), None) is None:
        return absent([folder], "gemcurate crop")
    first = next(read_rows(folder, CROPS, ["image"], rows=1), None)
    if first is None or len(decode_rgb(first["image"][0].as_py()["bytes"])) != stored_side(size):
        again = "Run 'gemcurate crop', then make this page again"
        return f"{folder} was not made for 'crop.size' {size}. {again}"
    return None


def describe_crops(images: Images, settings: CropParams, album: Album) -> Crops:
    """Count the methods and choose one crop per class, at most _SAMPLES."""
    if missing := crops_missing(images.project, settings.size):
        return Crops(missing)
    table = read_table(images.project.crops, CROPS, ["sha256", "method", "mask_area"])
    areas = table["mask_area"].drop_null().to_numpy()
    return Crops(
        missing=None,
        count=len(table),
        size=settings.size,
        methods=commonest(Counter(table["method"].to_pylist())),
        meanings=_METHODS,
        areas=np.percentile(areas, [0, 25, 50, 75, 100]).tolist() if len(areas) else [],
        samples=_samples(table["sha256"].to_pylist(), images, settings, album),
        steps=_steps(images.project),
    )


class StoredCrop(NamedTuple):
    """A row of CROPS; `image` holds the encoded image."""

    image: bytes
    stone_box: list[int] | None
    crop_box: list[int] | None
    method: str


def first_crops(project: Project, wanted: Collection[str]) -> dict[str, StoredCrop]:
    """The rows of CROPS with these sha256; stops reading at the last of them."""
    found: dict[str, StoredCrop] = {}
    columns = ["stone_box", "crop_box", "method"]
    for batch in read_rows(project.crops, CROPS, ["image", "sha256", *columns]):
        names = batch["sha256"].to_pylist()
        for index in (index for index, sha256 in enumerate(names) if sha256 in wanted):
            content = batch["image"][index].as_py()["bytes"]
            found[names[index]] = StoredCrop(content, *(batch[name][index].as_py() for name in columns))
        if len(found) == len(wanted):
            break
    return found


def _samples(stored: list[str], images: Images, settings: CropParams, album: Album) -> list[CropSample]:
    # The first of each class by hash are at the beginning of the table, so little of it is read.
    first: dict[str | None, str] = {}
    for sha256 in stored:
        if (row := images.row_of.get(sha256)) is not None:
            first.setdefault(images.variety[row], sha256)
    chosen = sorted(first.values())[:_SAMPLES]
    rows = first_crops(images.project, chosen)
    samples = []
    for sha256 in chosen:
        crop = rows[sha256]
        original = album.thumbnail(images.row_of[sha256])
        boxes = (("crop", crop.crop_box), ("stone", crop.stone_box))
        frames = tuple(_frame(kind, box, original) for kind, box in boxes if box)
        centre = cut_centre(decode_rgb(crop.image), settings.size)
        samples.append(CropSample(replace(original, frames=frames), thumbnail_uri(centre), crop.method))
    return samples


def _frame(kind: str, box: list[int], thumbnail: Thumbnail) -> Frame:
    left, top, right, bottom = box
    width, height = thumbnail.width, thumbnail.height
    return Frame(kind, left / width, top / height, (right - left) / width, (bottom - top) / height)


def _steps(project: Project) -> tuple[str, int, int] | None:
    """The figure that `steps` drew, as a data URI with its size."""
    try:
        figure = Image.fromarray(decode((project.plots / FIGURE).read_bytes()).pixels)
    except (FileNotFoundError, ImageError):
        return None
    figure.thumbnail((_STEPS_WIDTH, 10 * _STEPS_WIDTH))
    return data_uri(figure), *figure.size
