"""gems68 in five folds, made by the pipeline's own stages below `.cache/folds/`.

Every distinct image counts: cleaning finds labels and groups of near copies, but a decision keeps each image,
however bad. Images of one group are in one fold. The images of a fold are the test split of its dataset; some
groups of every class among the others are its validation split, and the rest is the training split.
"""

import contextlib
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import yaml

from benchmarks._shared import GEMS68, NO_GEMS68, ROOT
from benchmarks.curation.boxes import bare_canny
from benchmarks.training._published_data import run
from curation.cropping.crop import kept_images
from curation.cropping.crop_image import crop_image, read_image
from curation.cropping.params import CropParams
from curation.cropping.segmentation import NO_STONE
from curation.datasets.balance import balance
from curation.datasets.params import DatasetParams, SplitParams
from curation.datasets.records import CleanedImage, SplitImage, read_cleaned
from curation.datasets.split import assign
from curation.tables import CROP_RECORD, CROPS, MEASURED, SPLIT
from gemkit.image_codec import encode_jpeg
from gemkit.progress import Progress
from gemkit.project import Project
from gemkit.shards import ShardWriter, replaced_folder
from gemkit.tables import read_table, table_files, write_table, write_text

WORK = ROOT / ".cache" / "folds"
_PROJECT = Project(WORK)
FOLDS = 5
#: The share of each class in the inner validation split, at least one group.
_VALIDATION = 0.05
#: The largest image size of any recipe here, pixels.
_SIZE = 288
#: How stones are cropped. `canny` is the published method: the rectangle around all edges, fixed thresholds.
CROPS_OF = {
    "black": CropParams(size=_SIZE),
    "kept": CropParams(size=_SIZE, background="kept"),
    "canny": CropParams(size=_SIZE, background="kept", margin=0),
}


def missing() -> str | None:
    """Why there are no folds, in a sentence; None if there are."""
    return None if GEMS68.is_dir() else f"Skipped: {NO_GEMS68}"


@contextlib.contextmanager
def gems68(croppings: Iterable[str]) -> Iterator[None]:
    """Change to the folder with the datasets `<crops>-<fold>`; outdated ones are made anew."""
    WORK.mkdir(parents=True, exist_ok=True)
    with contextlib.chdir(WORK):
        _write_params(CROPS_OF["black"])
        run("gemscrape crawl --site gems68", WORK)
        run("gemcurate measure --site gems68", WORK)
        _keep_every_image()
        run("gemcurate clean", WORK)
        for crops in dict.fromkeys(croppings):
            _make_datasets(crops)
        yield


def dataset_name(crops: str, fold: int) -> str:
    """The dataset whose test split is the fold."""
    return f"{crops}-{fold}"


def _write_params(crop: CropParams) -> None:
    params = {
        "sites": ["gems68"],
        "crawl": {"gems68": {"folder": str(GEMS68 / "train")}},
        "clean": {"taxonomy": str(ROOT / "labels/taxonomy.toml"), "decisions": "decisions.csv"},
        "crop": crop.model_dump(),
        "balance": {
            "orientations": 1,
            "datasets": {
                dataset_name(crops, fold): {"kind": "plain"} for crops in CROPS_OF for fold in range(FOLDS)
            },
        },
    }
    write_text(Path("params.yaml"), yaml.safe_dump(params, sort_keys=False))


def _keep_every_image() -> None:
    names = read_table(Path("data/measured/gems68.parquet"), MEASURED, ["sha256"])["sha256"].to_pylist()
    lines = ["sha256,decision,variety,note", *(f"{sha256},keep,," for sha256 in sorted(names))]
    write_text(Path("decisions.csv"), "\n".join(lines) + "\n")


def _make_datasets(crops: str) -> None:
    _write_params(CROPS_OF[crops])
    if crops == "canny":
        _crop_by_canny(CROPS_OF[crops])
    else:
        run("gemcurate crop", WORK)
    images = read_cleaned(_PROJECT.clean_table)
    version = _version(images)
    for fold in range(FOLDS):
        name = dataset_name(crops, fold)
        stamp = _PROJECT.datasets / f"{name}.version"
        if stamp.exists() and stamp.read_text() == version:
            continue
        rows = [image._asdict() for image in fold_splits(images, fold)]
        write_table(_PROJECT.split_table, pa.Table.from_pylist(rows, SPLIT))
        balance(_PROJECT, name, DatasetParams(kind="plain"), 1, CROPS_OF[crops])
        write_text(stamp, version)


def _version(images: list[CleanedImage]) -> str:
    """Changes with crops, groups, labels and the size of the validation split."""
    identity = [_VALIDATION, *((image.sha256, image.variety, image.group_id) for image in images)]
    digest = hashlib.sha256(repr(identity).encode())
    for file in table_files(_PROJECT.crops):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def fold_splits(images: list[CleanedImage], fold: int) -> list[SplitImage]:
    """The rows of SPLIT for the dataset of a fold."""
    in_folds = assign(images, SplitParams(folds=FOLDS))
    test = {image.sha256 for image in in_folds if image.fold == fold}
    others = [image for image in images if image.sha256 not in test]
    inner = {
        image.sha256: image.split for image in assign(others, SplitParams(validation=_VALIDATION, test=0))
    }
    return [image._replace(split=inner.get(image.sha256, "test")) for image in in_folds]


def _crop_by_canny(params: CropParams) -> None:
    """The stage `crop` as the published loop has it; the whole image where there is no edge."""
    kept = kept_images(_PROJECT)
    with (
        Progress("bare Canny", len(kept)) as progress,
        replaced_folder(_PROJECT.crops) as folder,
        ShardWriter(folder, CROPS) as writer,
    ):
        (folder / CROP_RECORD).write_text("null")  # not made by the pipeline
        for original in kept:
            pixels = read_image(original.path).pixels
            box = bare_canny(pixels)
            stone = NO_STONE._replace(box=box, method="canny" if box else "original")
            cut = crop_image(pixels, params, stone)
            image = {"bytes": encode_jpeg(cut.image), "path": f"{original.sha256}.jpg"}
            writer.write({"image": image, "sha256": original.sha256, **cut.record.to_json()})
            progress.advance()
