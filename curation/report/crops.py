"""The stones cut out of their photos: how they were found, and some of them step by step."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field, replace

import numpy as np
from PIL import Image

from curation.cropping.crop import CROPS_FOLDER
from curation.imaging.centre_crop import cut_centre, stored_side
from curation.inspect.steps import PICTURE as STEPS_PICTURE
from curation.params import CropParams
from curation.report.data import Images
from curation.report.sampling import absent, commonest
from curation.report.thumbnails import Album, Frame, Photo, data_uri, thumbnail
from curation.tables import CROPS
from gemkit.image_codec import ImageError, decode, decode_rgb
from gemkit.tables import read_rows, read_table

_SAMPLES = 8
#: Width in pixels to which the picture of the steps is made smaller.
_STEPS_WIDTH = 860

#: What the ways to find a stone are, for a person.
_METHODS = {
    "classical+canny": "by the even colour of the background, and by edges",
    "rembg+canny": "by a network that removes backgrounds, and by edges",
    "canny": "by edges alone",
    "original": "not at all: the whole photo is kept",
}


@dataclass(frozen=True)
class CropSample:
    """A photo with the boxes that were found in it, and the crop made of it (a data URI)."""

    photo: Photo
    crop: str
    method: str


@dataclass(frozen=True)
class Crops:
    """`meanings` of the methods; `areas`: share of the photo that is stone, quartiles; `steps`: the picture
    of the steps with its size.
    """

    missing: str | None
    count: int = 0
    size: int = 0
    methods: list[tuple[str, int]] = field(default_factory=list)
    meanings: dict[str, str] = field(default_factory=dict)
    areas: list[float] = field(default_factory=list)
    samples: list[CropSample] = field(default_factory=list)
    steps: tuple[str, int, int] | None = None


def crops_missing(size: int) -> str | None:
    """A sentence where there are no crops of this size."""
    if next(CROPS_FOLDER.glob("*.parquet"), None) is None:
        return absent([CROPS_FOLDER], "gemcurate crop")
    first = next(read_rows(CROPS_FOLDER, CROPS, ["image"], rows=1), None)
    if first is None or len(decode_rgb(first["image"][0].as_py()["bytes"])) != stored_side(size):
        again = "Run 'gemcurate crop', then make this page again"
        return f"{CROPS_FOLDER} was not made for 'crop.size' {size}. {again}"
    return None


def describe_crops(images: Images, params: CropParams, album: Album) -> Crops:
    """Count the methods and choose a crop of each class, at most _SAMPLES."""
    if missing := crops_missing(params.size):
        return Crops(missing)
    table = read_table(CROPS_FOLDER, CROPS, ["sha256", "method", "mask_area"])
    areas = table["mask_area"].drop_null().to_numpy()
    return Crops(
        missing=None,
        count=len(table),
        size=params.size,
        methods=commonest(Counter(table["method"].to_pylist())),
        meanings=_METHODS,
        areas=np.percentile(areas, [0, 25, 50, 75, 100]).tolist() if len(areas) else [],
        samples=_samples(table["sha256"].to_pylist(), images, params, album),
        steps=_steps(),
    )


def first_crops(wanted: Collection[str], columns: Collection[str] = ()) -> dict[str, dict]:
    """The rows of CROPS with these sha256; reads no further than the last of them."""
    found: dict[str, dict] = {}
    for batch in read_rows(CROPS_FOLDER, CROPS, ["image", "sha256", *columns]):
        names = batch["sha256"].to_pylist()
        for place in (place for place, sha256 in enumerate(names) if sha256 in wanted):
            found[names[place]] = batch.slice(place, 1).to_pylist()[0]
        if len(found) == len(wanted):
            break
    return found


def _samples(stored: list[str], images: Images, params: CropParams, album: Album) -> list[CropSample]:
    # The first of a class by hash lie at the table's beginning: little of it is read.
    first: dict[str | None, str] = {}
    for sha256 in stored:
        if (row := images.row_of.get(sha256)) is not None:
            first.setdefault(images.variety[row], sha256)
    chosen = sorted(first.values())[:_SAMPLES]
    rows = first_crops(chosen, ["stone_box", "crop_box", "method"])
    samples = []
    for sha256 in chosen:
        crop = rows[sha256]
        photo = album.photo(images.row_of[sha256])
        frames = [
            _frame(kind, crop[f"{kind}_box"], photo) for kind in ("crop", "stone") if crop[f"{kind}_box"]
        ]
        centre = cut_centre(decode_rgb(crop["image"]["bytes"]), params.size)
        samples.append(CropSample(replace(photo, frames=tuple(frames)), thumbnail(centre), crop["method"]))
    return samples


def _frame(kind: str, box: list[int], photo: Photo) -> Frame:
    left, top, right, bottom = box
    width, height = photo.width, photo.height
    return Frame(kind, left / width, top / height, (right - left) / width, (bottom - top) / height)


def _steps() -> tuple[str, int, int] | None:
    """The picture that `steps` drew, as a data URI with its size."""
    try:
        picture = Image.fromarray(decode(STEPS_PICTURE.read_bytes()).pixels)
    except (FileNotFoundError, ImageError):
        return None
    picture.thumbnail((_STEPS_WIDTH, 10 * _STEPS_WIDTH))
    return data_uri(picture), *picture.size
