"""The stage `crop`: each kept image's stone, on black, in the middle of a square."""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from curation.centre import encode_jpeg
from curation.cut import crop_image
from curation.images import ImageError, decode
from curation.params import CropParams, read_crop
from curation.shards import ShardWriter, replaced_folder
from curation.steps import draw_steps, step_strip
from curation.tables import CLEAN, CROPS
from curation.weights import fetch
from gemkit.errors import UserError
from gemkit.memo import Memo
from gemkit.parallel import map_shards
from gemkit.progress import Progress
from gemkit.tables import read_table, write_bytes

#: Raise it when the way a crop is made changes: every image is then cropped again.
VERSION = 1
SHARD = 8
RAW = Path("data/raw")
CLEAN_TABLE = Path("data/clean.parquet")
CROPS_FOLDER = Path("data/crops")
STEPS_PICTURE = Path("plots/canny_steps.png")
STEPS_ROWS = 6


class Shard(NamedTuple):
    """Images for one worker: (sha256, path of the file)."""

    images: list[tuple[str, Path]]
    params: CropParams


def crop(params_path: Path) -> dict[str, Any]:
    """Crop the kept images of data/clean.parquet into data/crops; returns a summary.

    Raises UserError when a table, an image or the model's weights are missing.
    """
    params = read_crop(params_path)
    kept = kept_images()
    with Memo("crop", VERSION, params.model_dump()) as memo:
        missing = list(memo.missing(kept))
        if missing:
            fetch(params.model)
        with Progress("crop", len(missing)) as progress:
            for results in map_shards(crop_shard, _shards(missing, kept, params)):
                memo.put(results)
                progress.advance(len(results))
        methods: Counter[str] = Counter()
        with replaced_folder(CROPS_FOLDER) as folder, ShardWriter(folder, CROPS) as writer:
            for sha256 in kept:
                record, pixels = memo.get(sha256)
                methods[record["method"]] += 1
                image = {"bytes": pixels, "path": f"{sha256}.jpg"}
                writer.write({"image": image, "sha256": sha256, **record})
    write_bytes(STEPS_PICTURE, draw_steps(_step_strips(kept, params)))
    return {"images": len(kept), "cropped now": len(missing), "methods": dict(sorted(methods.items()))}


class Kept(NamedTuple):
    path: Path
    variety: str


def kept_images() -> dict[str, Kept]:
    """The images that cleaning kept, sorted by sha256. Raises UserError when it kept none."""
    table = read_table(CLEAN_TABLE, CLEAN, ["sha256", "path", "variety", "keep"])
    kept = {
        row["sha256"]: Kept(RAW / row["path"], row["variety"]) for row in table.to_pylist() if row["keep"]
    }
    if not kept:
        raise UserError(f"'{CLEAN_TABLE}' keeps no image; look at its reasons and relax the rules.")
    return dict(sorted(kept.items()))


def _step_strips(kept: dict[str, Kept], params: CropParams) -> list[tuple[str, bytes]]:
    """The steps of the first image of each variety, of at most STEPS_ROWS varieties in order of name."""
    first: dict[str, str] = {}
    for sha256, image in kept.items():
        first.setdefault(image.variety, sha256)
    examples = sorted(first.items())[:STEPS_ROWS]
    with Memo("steps", VERSION, params.model_dump()) as memo:
        for sha256 in memo.missing(sha256 for _, sha256 in examples):
            memo.put([(sha256, {}, step_strip(read_image(kept[sha256].path), params))])
        return [(variety, memo.get(sha256)[1] or b"") for variety, sha256 in examples]


def _shards(missing: Iterable[str], kept: dict[str, Kept], params: CropParams) -> Iterator[Shard]:
    images = ((sha256, kept[sha256].path) for sha256 in missing)
    while batch := list(islice(images, SHARD)):
        yield Shard(batch, params)


def crop_shard(shard: Shard) -> list[tuple[str, dict[str, Any], bytes]]:
    """(sha256, record, JPEG) of each image of the shard. Pure; one thread."""
    cv2.setNumThreads(1)
    results = []
    for sha256, path in shard.images:
        result = crop_image(read_image(path), shard.params)
        record = {name: getattr(result, name) for name in ("stone_box", "crop_box", "method", "mask_area")}
        results.append((sha256, record, encode_jpeg(result.image)))
    return results


def read_image(path: Path) -> np.ndarray:
    """The upright RGB pixels of an image file. Raises UserError when it is gone or broken."""
    try:
        return decode(path.read_bytes()).pixels
    except FileNotFoundError:
        raise UserError(f"Image '{path}' does not exist; run the crawl of its site again.") from None
    except ImageError as error:
        raise UserError(f"Image '{path}' cannot be decoded ({error}); run 'gemcurate clean' again.") from None
