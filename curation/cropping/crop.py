"""The stage `crop`: cut each kept image's stone out into the middle of a square."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from curation.cropping.crop_image import CropRecord, crop_file, keep_file_whole
from curation.cropping.params import CropParams, CropSettings, read_crop
from curation.cropping.rembg_model import provider
from curation.cropping.rembg_weights import fetch
from curation.params import read_limits
from curation.tables import CLEAN, CROP_RECORD, CROPS
from gemkit.errors import UserError
from gemkit.executor.base import GivenUp, Limits
from gemkit.executor.local import map_items
from gemkit.memo import Memo
from gemkit.progress import Progress
from gemkit.shards import ShardWriter, replaced_folder
from gemkit.tables import read_table, write_text

#: Raise it when crops change: every image is then cropped again.
VERSION = 3
RAW = Path("data/raw")
CLEAN_TABLE = Path("data/clean.parquet")
CROPS_FOLDER = Path("data/crops")


class KeptImage(NamedTuple):
    """An image that cleaning kept."""

    sha256: str
    path: Path
    variety: str


class EncodedCrop(NamedTuple):
    """A crop and its encoded image.

    `provider`: the execution provider of the worker's network, None if no network is loaded.
    """

    record: CropRecord
    content: bytes
    provider: str | None


@dataclass(frozen=True)
class CropSummary:
    """Numbers of images: all that are kept, cropped in this run, and cropped by each method.

    `providers`: the execution providers of the networks that were used; `given_up`: the reason by file,
    which completes "it …".
    """

    images: int
    cropped_now: int
    methods: dict[str, int]
    providers: list[str]
    given_up: dict[Path, str]


def crop(params_path: Path) -> CropSummary:
    """Crop the kept images of data/clean.parquet into data/crops; returns a summary.

    An image that crashes its worker or exceeds the limits is kept whole; the next run tries it again.
    Raises UserError when a table, an image or the model's weights are missing.
    """
    params, limits = read_crop(params_path), read_limits(params_path, "crop")
    images = kept_images()
    settings = params.model_dump()
    with Memo("crop", VERSION, settings) as memo:
        missing = [image for image in images if image.sha256 not in memo]
        if missing and params.removal != "classical":
            fetch(params.model)
        given_up: dict[KeptImage, str] = {}
        providers: set[str] = set()
        with Progress("crop", len(missing)) as progress:
            for finished in map_items(partial(crop_and_encode, params=params), missing, limits):
                cropped = []
                for image, result in finished:
                    if isinstance(result, GivenUp):
                        given_up[image] = result.reason
                    else:
                        cropped.append((image.sha256, result.record.to_json(), result.content))
                        if result.provider:
                            providers.add(result.provider)
                memo.put(cropped)
                progress.advance(len(finished))
        whole = dict(_kept_whole(given_up, params, limits))
        methods: Counter[str] = Counter()
        suffix = "png" if params.background == "transparent" else "jpg"
        with replaced_folder(CROPS_FOLDER) as folder, ShardWriter(folder, CROPS) as writer:
            for kept in images:
                record, content = whole.get(kept.sha256) or _from_memo(memo, kept.sha256)
                methods[record.method] += 1
                encoded = {"bytes": content, "path": f"{kept.sha256}.{suffix}"}
                writer.write({"image": encoded, "sha256": kept.sha256, **record.to_json()})
            made = json.dumps(CropSettings(version=VERSION, **settings).model_dump(), indent=2)
            write_text(folder / CROP_RECORD, made + "\n")
    return CropSummary(
        images=len(images),
        cropped_now=len(missing) - len(given_up),
        methods=dict(sorted(methods.items())),
        providers=sorted(providers),
        given_up={image.path: reason for image, reason in sorted(given_up.items())},
    )


def kept_images() -> list[KeptImage]:
    """The images that cleaning kept, sorted by sha256. Raises UserError when it kept none."""
    table = read_table(CLEAN_TABLE, CLEAN, ["sha256", "path", "variety", "keep"])
    rows = sorted((row["sha256"], row["path"], row["variety"]) for row in table.to_pylist() if row["keep"])
    if not rows:
        raise UserError(f"'{CLEAN_TABLE}' keeps no image; look at its column 'reasons' and relax the rules.")
    return [KeptImage(sha256, RAW / path, variety) for sha256, path, variety in rows]


def crop_and_encode(image: KeptImage, params: CropParams) -> EncodedCrop:
    """Find the stone of an image and cut it out. Pure; single-threaded."""
    cropped = crop_file(image.path, params)
    return EncodedCrop(cropped.record, cropped.crop.encoded(), provider(params.model))


def keep_whole(image: KeptImage, params: CropParams) -> EncodedCrop:
    """Crop the image as if it had no stone."""
    cropped = keep_file_whole(image.path, params)
    return EncodedCrop(cropped.record, cropped.crop.encoded(), None)


def _from_memo(memo: Memo, sha256: str) -> tuple[CropRecord, bytes]:
    record, content = memo.get(sha256)
    return CropRecord.from_json(record), content or b""


def _kept_whole(
    given_up: dict[KeptImage, str], params: CropParams, limits: Limits
) -> Iterator[tuple[str, tuple[CropRecord, bytes]]]:
    """SHA-256 of each given-up image → record and encoded crop of the whole image."""
    for finished in map_items(partial(keep_whole, params=params), given_up, limits):
        for image, result in finished:
            if isinstance(result, GivenUp):
                raise UserError(
                    f"Image '{image.path}' cannot be cropped: it {given_up[image]}, and even kept whole it "
                    f"{result.reason}; raise 'limits.crop.seconds' or 'limits.crop.memory_mb', or drop the "
                    "image in labels/decisions.csv."
                )
            yield image.sha256, (result.record, result.content)
