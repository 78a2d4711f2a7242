"""The stage `crop`: each kept image's stone, before a plain background, in the middle of a square."""

import json
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from curation.cropping.rembg_model import provider
from curation.cropping.rembg_weights import fetch
from curation.cropping.segmentation import Stone
from curation.cropping.square_crop import View, cut_stone, read_image, view_photo
from curation.params import CropParams, read_crop, read_limits
from curation.tables import CLEAN, CROP_RECORD, CROPS
from gemkit.errors import UserError
from gemkit.executor.base import GivenUp, Limits
from gemkit.executor.local import map_items
from gemkit.image_codec import encode_jpeg, encode_png
from gemkit.memo import Memo
from gemkit.progress import Progress
from gemkit.shards import ShardWriter, replaced_folder
from gemkit.tables import read_table, write_text

#: Raise it when the way a crop is made changes: every image is then cropped again.
VERSION = 3
RAW = Path("data/raw")
CLEAN_TABLE = Path("data/clean.parquet")
CROPS_FOLDER = Path("data/crops")


class Photo(NamedTuple):
    """A kept image of the store."""

    sha256: str
    path: Path
    variety: str


class Cropped(NamedTuple):
    """What cropping an image gives: its row of CROPS but for `image` and `sha256`, and the encoded crop.

    `provider`: what runs the network in the worker, None while it was not needed.
    """

    record: dict[str, Any]
    content: bytes
    provider: str | None


def crop(params_path: Path) -> dict[str, Any]:
    """Crop the kept images of data/clean.parquet into data/crops; returns a summary.

    An image that ends its worker or takes more than the limits stays whole; the next run tries it again.
    Raises UserError when a table, an image or the model's weights are missing.
    """
    params, limits = read_crop(params_path), read_limits(params_path, "crop")
    photos = kept_photos()
    settings = params.model_dump()
    with Memo("crop", VERSION, settings) as memo:
        missing = [photo for photo in photos if photo.sha256 not in memo]
        if missing and params.removal != "classical":
            fetch(params.model)
        given_up: dict[Photo, str] = {}
        providers: set[str] = set()
        with Progress("crop", len(missing)) as progress:
            for finished in map_items(partial(crop_photo, params=params), missing, limits):
                cropped = []
                for photo, result in finished:
                    if isinstance(result, GivenUp):
                        given_up[photo] = result.reason
                    else:
                        cropped.append((photo.sha256, result.record, result.content))
                        if result.provider:
                            providers.add(result.provider)
                memo.put(cropped)
                progress.advance(len(finished))
        whole = dict(_kept_whole(given_up, params, limits))
        methods: Counter[str] = Counter()
        with replaced_folder(CROPS_FOLDER) as folder, ShardWriter(folder, CROPS) as writer:
            for photo in photos:
                record, content = whole.get(photo.sha256) or memo.get(photo.sha256)
                methods[record["method"]] += 1
                suffix = "png" if params.background == "transparent" else "jpg"
                image = {"bytes": content, "path": f"{photo.sha256}.{suffix}"}
                writer.write({"image": image, "sha256": photo.sha256, **record})
            made = json.dumps({"version": VERSION, **settings}, indent=2)
            write_text(folder / CROP_RECORD, made + "\n")
    return {
        "images": len(photos),
        "cropped now": len(missing) - len(given_up),
        "methods": dict(sorted(methods.items())),
        "network": ", ".join(sorted(providers)) or "not needed",
        "given up": {str(photo.path): reason for photo, reason in sorted(given_up.items())},
    }


def kept_photos() -> list[Photo]:
    """The images that cleaning kept, sorted by sha256. Raises UserError when it kept none."""
    table = read_table(CLEAN_TABLE, CLEAN, ["sha256", "path", "variety", "keep"])
    rows = sorted((row["sha256"], row["path"], row["variety"]) for row in table.to_pylist() if row["keep"])
    if not rows:
        raise UserError(f"'{CLEAN_TABLE}' keeps no image; look at its reasons and relax the rules.")
    return [Photo(sha256, RAW / path, variety) for sha256, path, variety in rows]


def crop_photo(photo: Photo, params: CropParams) -> Cropped:
    """Find the stone of an image and cut it out. Pure; one thread."""
    return _cropped(view_photo(photo.path, params), params, provider(params.model))


def keep_photo(photo: Photo, params: CropParams) -> Cropped:
    """The image as if no stone were in it."""
    decoded = read_image(photo.path)
    nothing = Stone(None, np.zeros((1, 1), bool), None, "original", None)
    return _cropped(View(decoded.pixels, nothing, decoded.factor), params, None)


def _cropped(view: View, params: CropParams, provider: str | None) -> Cropped:
    result = cut_stone(view, params)
    record = result._asdict()
    del record["image"]
    encode = encode_png if params.background == "transparent" else encode_jpeg
    return Cropped(record, encode(result.image), provider)


def _kept_whole(
    given_up: dict[Photo, str], params: CropParams, limits: Limits
) -> Iterator[tuple[str, tuple[dict[str, Any], bytes]]]:
    """SHA-256 of the images that were given up → record and encoded crop."""
    for finished in map_items(partial(keep_photo, params=params), given_up, limits):
        for photo, result in finished:
            if isinstance(result, GivenUp):
                raise UserError(
                    f"Image '{photo.path}' cannot be cropped: it {given_up[photo]}, and even kept whole it "
                    f"{result.reason}; raise 'limits.crop.seconds' or 'limits.crop.memory_mb', or drop the "
                    "image in labels/decisions.csv."
                )
            yield photo.sha256, (result.record, result.content)
