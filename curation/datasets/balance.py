"""The stage `balance`: turn crops into a dataset whose training split has as many images of each class."""

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from curation.cropping.params import CropParams, CropSettings
from curation.datasets.dataset_metrics import count_images
from curation.datasets.orientations import Orientation, orient
from curation.datasets.params import DatasetParams, OrientationCount, names_folder
from curation.datasets.plan import Plan, make_plan
from curation.datasets.records import SplitImage, read_split_table
from curation.imaging.centre_crop import stored_side
from curation.tables import CLEAN, CROP_RECORD, CROPS, DATASET, SPLITS
from gemkit.errors import UserError
from gemkit.executor.local import map_shards
from gemkit.image_codec import decode_rgb, encode_jpeg
from gemkit.progress import Progress
from gemkit.project import Project
from gemkit.records import InvalidRecord, read_json
from gemkit.shards import ShardWriter, replaced_folder
from gemkit.tables import read_rows, read_table, write_text

SHARD = 32


class StoredCrop(NamedTuple):
    """The JPEG of a stored crop and the orientations to render."""

    sha256: str
    content: bytes
    orientations: list[Orientation]


class Shard(NamedTuple):
    """Crops for one worker, all from one folder, and the side of their visible square."""

    crops: list[StoredCrop]
    folder: Path
    size: int


@dataclass(frozen=True)
class BalanceSummary:
    """The number of classes, that of images by split, and why varieties are excluded."""

    dataset: str
    classes: int
    images: dict[str, int]
    excluded: dict[str, str]


def balance(
    project: Project,
    dataset: str,
    settings: DatasetParams,
    orientations: OrientationCount = 16,
    crop: CropParams | None = None,
) -> BalanceSummary:
    """Write data/datasets/<dataset>, its metrics and its class distribution; returns a summary.

    `orientations`: at most how many a training image is given; `crop`: the settings that the crops must have,
    by default those that they were made with. Raises UserError for fewer than two classes, a class without
    images in some split, and crops that are missing, transparent or of another size.
    """
    if not names_folder(dataset):
        raise UserError(f"'{dataset}' cannot name a dataset; use letters, digits, '-' and '_'.")
    made_with = _crop_settings(project)
    crop = crop or made_with
    if crop is None:
        raise UserError(
            f"'{project.crops / CROP_RECORD}' does not say how the crops were made; "
            "run 'gemcurate crop' again."
        )
    if crop.background == "transparent":
        raise UserError(
            f"Dataset '{dataset}' cannot be made of transparent crops; set 'crop.background' to black, white "
            "or kept and run 'gemcurate crop' again."
        )
    sources = read_split_table(project.split_table)
    plan = make_plan(sources, settings, orientations)
    _check_classes(plan, sources, dataset)
    species = _species(project, plan.classes)
    with replaced_folder(project.dataset(dataset)) as folder:
        with Progress(f"balance {dataset}", plan.image_count) as progress:
            _write_images(folder, plan, sources, species, _shards(project, plan, crop.size), progress)
        classes = [{"variety": variety, "species": species[variety]} for variety in plan.classes]
        description = {
            "dataset": dataset,
            "kind": settings.kind,
            "size": crop.size,
            "crop": made_with and made_with.model_dump(),
            "classes": classes,
        }
        write_text(folder / "classes.json", json.dumps(description, indent=2, ensure_ascii=False) + "\n")
    metrics = count_images(plan, sources)
    write_text(project.metrics / dataset / "dataset.json", json.dumps(metrics.to_json(), indent=2) + "\n")
    write_text(project.plots / dataset / "classes.csv", metrics.distribution())
    return BalanceSummary(dataset, len(classes), metrics.images, plan.excluded)


def _check_classes(plan: Plan, sources: Iterable[SplitImage], dataset: str) -> None:
    if len(plan.classes) < 2:
        left_out = "; ".join(f"{variety}: {reason}" for variety, reason in list(plan.excluded.items())[:3])
        raise UserError(
            f"Dataset '{dataset}' would have {len(plan.classes)} of the two classes that it needs "
            f"({left_out or 'no other variety is kept'}); lower its minimum or crawl more."
        )
    found = {(image.variety, image.split) for image in sources}
    for variety in plan.classes:
        for split in SPLITS:
            if (variety, split) not in found:
                raise UserError(
                    f"Dataset '{dataset}': class '{variety}' has no {split} image; raise 'split.{split}' "
                    "or crawl more of the class."
                )


def _species(project: Project, varieties: list[str]) -> dict[str, str | None]:
    table = read_table(project.clean_table, CLEAN, ["variety", "species"])
    known = dict(zip(table["variety"].to_pylist(), table["species"].to_pylist(), strict=True))
    missing = [variety for variety in varieties if variety not in known]
    if missing:
        raise UserError(
            f"'{project.clean_table}' has no variety '{missing[0]}'; run 'gemcurate split' again."
        )
    return {variety: known[variety] for variety in varieties}


def _write_images(
    folder: Path,
    plan: Plan,
    sources: Iterable[SplitImage],
    species: dict[str, str | None],
    shards: Iterator[Shard],
    progress: Progress,
) -> None:
    """Write the rows of DATASET, each split sorted by sha256 and orientation."""
    labels = {variety: label for label, variety in enumerate(plan.classes)}
    by_sha256 = {image.sha256: image for image in sources}
    with ExitStack() as stack:
        writers = {name: stack.enter_context(ShardWriter(folder, DATASET, f"{name}-")) for name in SPLITS}
        for shard in map_shards(render_shard, shards):
            for sha256, contents in shard:
                source, views = by_sha256[sha256], plan.augmented_views[sha256]
                common = {
                    "label": labels[source.variety],
                    "variety": source.variety,
                    "species": species[source.variety],
                    "group_id": source.group_id,
                    "sha256": sha256,
                }
                for view, content in zip(views, contents, strict=True):
                    name = f"{sha256}-{view.rotation}{'m' if view.mirrored else ''}.jpg"
                    image = {"bytes": content, "path": name}
                    writers[source.split].write({"image": image, **common, **view._asdict()})
                progress.advance(len(views))


def _crop_settings(project: Project) -> CropSettings | None:
    """The settings the crops were made with, so that other images can be cropped alike; None if unknown."""
    path = project.crops / CROP_RECORD
    try:
        return CropSettings.from_json(read_json(path))
    except OSError:
        raise UserError(f"'{path}' is missing; run 'gemcurate crop' again.") from None
    except InvalidRecord as error:
        raise UserError(f"'{path}': {error}; run 'gemcurate crop' again.") from None


def _shards(project: Project, plan: Plan, size: int) -> Iterator[Shard]:
    crops = _crops(project, plan)
    while batch := list(islice(crops, SHARD)):
        yield Shard(batch, project.crops, size)


def _crops(project: Project, plan: Plan) -> Iterator[StoredCrop]:
    missing = dict.fromkeys(plan.augmented_views)
    for batch in read_rows(project.crops, CROPS, ["image", "sha256"]):
        for row in batch.to_pylist():
            sha256 = row["sha256"]
            if sha256 in missing:
                del missing[sha256]
                yield StoredCrop(sha256, row["image"]["bytes"], plan.augmented_views[sha256])
    if missing:
        raise UserError(f"'{project.crops}' lacks image {next(iter(missing))}; run 'gemcurate crop' again.")


def render_shard(shard: Shard) -> list[tuple[str, list[bytes]]]:
    """For each crop its sha256 and its visible centre as a JPEG per orientation. Pure; single-threaded."""
    images = []
    for crop in shard.crops:
        stored = decode_rgb(crop.content)
        if len(stored) != stored_side(shard.size):
            raise UserError(
                f"'{shard.folder}' was not made for 'crop.size' {shard.size}; run 'gemcurate crop'."
            )
        views = orient(stored, shard.size, crop.orientations)
        images.append((crop.sha256, [encode_jpeg(view) for view in views]))
    return images
