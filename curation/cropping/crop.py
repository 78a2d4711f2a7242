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
from curation.inspect.visualise import draw_steps, step_strip
from curation.params import CropParams, read_crop
from curation.tables import CLEAN, CROP_RECORD, CROPS
from gemkit.errors import UserError
from gemkit.executor.base import GivenUp, Limits
from gemkit.executor.local import map_items
from gemkit.image_codec import encode_jpeg, encode_png
from gemkit.memo import Memo
from gemkit.progress import Progress
from gemkit.shards import ShardWriter, replaced_folder
from gemkit.tables import read_table, write_bytes, write_text

#: Raise it when the way a crop is made changes: every image is then cropped again.
VERSION = 3
RAW = Path("data/raw")
CLEAN_TABLE = Path("data/clean.parquet")
CROPS_FOLDER = Path("data/crops")
STEPS_PICTURE = Path("plots/canny_steps.png")
STEPS_ROWS = 6


class Photo(NamedTuple):
    """A kept image; `shows_steps` when it is an example in STEPS_PICTURE."""

    sha256: str
    path: Path
    variety: str
    shows_steps: bool

    @property
    def keys(self) -> list[str]:
        """Under which the memo has its crop and, of an example, its steps."""
        return [self.sha256, f"{self.sha256} steps"][: 1 + self.shows_steps]


class Cropped(NamedTuple):
    """What cropping an image gives: for each of its keys a record and an encoded picture.

    `provider`: what runs the network in the worker, None while it was not needed.
    """

    results: list[tuple[str, dict[str, Any], bytes]]
    provider: str | None


def crop(params_path: Path) -> dict[str, Any]:
    """Crop the kept images of data/clean.parquet into data/crops; returns a summary.

    An image that ends its worker or takes more than the limits stays whole; the next run tries it again.
    Raises UserError when a table, an image or the model's weights are missing.
    """
    params = read_crop(params_path)
    photos = kept_photos()
    settings = params.model_dump(exclude=set(Limits._fields))
    with Memo("crop", VERSION, settings) as memo:
        missing = [photo for photo in photos if not all(key in memo for key in photo.keys)]
        if missing and params.removal != "classical":
            fetch(params.model)
        given_up: dict[Photo, str] = {}
        providers: set[str] = set()
        with Progress("crop", len(missing)) as progress:
            for finished in map_items(partial(crop_photo, params=params), missing, _limits(params)):
                given_up |= {
                    photo: result.reason for photo, result in finished if isinstance(result, GivenUp)
                }
                cropped = [result for _, result in finished if isinstance(result, Cropped)]
                providers |= {result.provider for result in cropped if result.provider}
                memo.put(entry for result in cropped for entry in result.results)
                progress.advance(len(finished))
        whole = dict(_kept_whole(given_up, params))
        methods: Counter[str] = Counter()
        strips = []
        with replaced_folder(CROPS_FOLDER) as folder, ShardWriter(folder, CROPS) as writer:
            for photo in photos:
                (record, content), *steps = (whole.get(key) or memo.get(key) for key in photo.keys)
                methods[record["method"]] += 1
                suffix = "png" if params.background == "transparent" else "jpg"
                image = {"bytes": content, "path": f"{photo.sha256}.{suffix}"}
                writer.write({"image": image, "sha256": photo.sha256, **record})
                strips += [(photo.variety, strip or b"") for _, strip in steps]
            made = json.dumps({"version": VERSION, **settings}, indent=2)
            write_text(folder / CROP_RECORD, made + "\n")
    write_bytes(STEPS_PICTURE, draw_steps(sorted(strips)))
    return {
        "images": len(photos),
        "cropped now": len(missing) - len(given_up),
        "methods": dict(sorted(methods.items())),
        "network": ", ".join(sorted(providers)) or "not needed",
        "given up": {str(photo.path): reason for photo, reason in sorted(given_up.items())},
    }


def kept_photos() -> list[Photo]:
    """The images that cleaning kept, sorted by sha256. Raises UserError when it kept none.

    The first of each variety shows its steps, of at most STEPS_ROWS varieties in order of name.
    """
    table = read_table(CLEAN_TABLE, CLEAN, ["sha256", "path", "variety", "keep"])
    rows = sorted((row["sha256"], row["path"], row["variety"]) for row in table.to_pylist() if row["keep"])
    if not rows:
        raise UserError(f"'{CLEAN_TABLE}' keeps no image; look at its reasons and relax the rules.")
    first = {variety: sha256 for sha256, _, variety in reversed(rows)}
    examples = {first[variety] for variety in sorted(first)[:STEPS_ROWS]}
    return [Photo(sha256, RAW / path, variety, sha256 in examples) for sha256, path, variety in rows]


def crop_photo(photo: Photo, params: CropParams) -> Cropped:
    """Find the stone of an image and cut it out. Pure; one thread."""
    view = view_photo(photo.path, params)
    return Cropped(list(_results(photo, view, params)), provider(params.model))


def keep_photo(photo: Photo, params: CropParams) -> Cropped:
    """The image as if no stone were in it."""
    decoded = read_image(photo.path)
    nothing = Stone(None, np.zeros((1, 1), bool), None, "original", None)
    view = View(decoded.pixels, nothing, decoded.factor)
    return Cropped(list(_results(photo, view, params)), None)


def _results(photo: Photo, view: View, params: CropParams) -> Iterator[tuple[str, dict[str, Any], bytes]]:
    """(key, record, picture) of the image's keys."""
    key, *steps_key = photo.keys
    result = cut_stone(view, params)
    record = result._asdict()
    del record["image"]
    encode = encode_png if params.background == "transparent" else encode_jpeg
    yield key, record, encode(result.image)
    for key in steps_key:
        yield key, {}, encode_png(step_strip(view, result, params))


def _kept_whole(
    given_up: dict[Photo, str], params: CropParams
) -> Iterator[tuple[str, tuple[dict[str, Any], bytes]]]:
    """The keys of images that were given up → record and picture."""
    for finished in map_items(partial(keep_photo, params=params), given_up, _limits(params)):
        for photo, result in finished:
            if isinstance(result, GivenUp):
                raise UserError(
                    f"Image '{photo.path}' cannot be cropped: it {given_up[photo]}, and even kept whole it "
                    f"{result.reason}; raise 'crop.seconds' or 'crop.memory_mb', or drop the image in "
                    "labels/decisions.csv."
                )
            for key, record, content in result.results:
                yield key, (record, content)


def _limits(params: CropParams) -> Limits:
    return Limits(params.seconds, params.memory_mb)
