"""The stage `balance`: turn crops into a dataset whose training split has as many images of each class."""

import csv
import hashlib
import io
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from curation.cropping.params import read_crop
from curation.datasets.orientations import Orientation, balanced_pairs, orient, orientations
from curation.datasets.params import DatasetParams, read_balance
from curation.imaging.centre_crop import stored_side
from curation.tables import CLEAN, CROP_RECORD, CROPS, DATASET, SPLIT, SPLITS
from gemkit.errors import UserError
from gemkit.executor.local import map_shards
from gemkit.image_codec import decode_rgb, encode_jpeg
from gemkit.progress import Progress
from gemkit.shards import ShardWriter, replaced_folder
from gemkit.tables import read_rows, read_table, write_text

SHARD = 32
CLEAN_TABLE = Path("data/clean.parquet")
SPLIT_TABLE = Path("data/split.parquet")
CROPS_FOLDER = Path("data/crops")
DATASETS_FOLDER = Path("data/datasets")
IDENTITY = Orientation(0, False)

Row = dict[str, Any]


class Plan(NamedTuple):
    """The classes of a dataset, in order of label, and each source image's orientations in it."""

    classes: list[str]
    excluded: dict[str, str]  # variety → reason
    augmented_views: dict[str, list[Orientation]]  # sha256 → orientations


class StoredCrop(NamedTuple):
    """The JPEG of a stored crop and the orientations to render."""

    sha256: str
    content: bytes
    orientations: list[Orientation]


class Shard(NamedTuple):
    """Crops for one worker."""

    crops: list[StoredCrop]
    size: int


def balance(params_path: Path, dataset: str) -> dict[str, Any]:
    """Write data/datasets/<dataset>, its metrics and its class distribution; returns a summary.

    Raises UserError for an unknown dataset, fewer than two classes, a class without images in some split, and
    crops that are missing or transparent.
    """
    params, crop = read_balance(params_path), read_crop(params_path)
    if crop.background == "transparent":
        raise UserError(
            f"'{params_path}': datasets cannot be transparent; set 'crop.background' to black, white or kept "
            "and run 'gemcurate crop' again."
        )
    if dataset not in params.datasets:
        known = ", ".join(params.datasets) or "none"
        raise UserError(
            f"'{params_path}': 'balance.datasets' has no dataset '{dataset}'; the datasets are {known}."
        )
    settings = params.datasets[dataset]
    sources = {row["sha256"]: row for row in read_table(SPLIT_TABLE, SPLIT).to_pylist()}
    plan = make_plan(list(sources.values()), settings, params.orientations)
    _check_classes(plan, sources.values(), dataset)
    species, crop_record = _species(plan.classes), _crop_record()
    with replaced_folder(DATASETS_FOLDER / dataset) as folder:
        with Progress(f"balance {dataset}", _images(plan)) as progress:
            _write_images(folder, plan, sources, species, crop.size, progress)
        classes = [{"variety": variety, "species": species[variety]} for variety in plan.classes]
        description = {
            "dataset": dataset,
            "kind": settings.kind,
            "size": crop.size,
            "crop": crop_record,
            "classes": classes,
        }
        write_text(folder / "classes.json", json.dumps(description, indent=2, ensure_ascii=False) + "\n")
    metrics = describe(plan, sources.values())
    write_text(Path("metrics") / dataset / "dataset.json", json.dumps(metrics, indent=2) + "\n")
    write_text(Path("plots") / dataset / "classes.csv", _distribution(metrics))
    return {
        "dataset": dataset,
        "classes": len(classes),
        "images": metrics["images"],
        "excluded": plan.excluded,
    }


def make_plan(sources: list[Row], settings: DatasetParams, orientation_count: int) -> Plan:
    """Choose classes and orientations from the rows of SPLIT. Only training images are augmented."""
    training: dict[str, list[Row]] = {row["variety"]: [] for row in sources}
    for row in sources:
        if row["split"] == "train":
            training[row["variety"]].append(row)
    all_orientations = orientations(orientation_count)
    classes, excluded, views = [], {}, defaultdict[str, list[Orientation]](list)
    for variety, members in sorted(training.items()):
        if reason := _too_few(len(members), settings, orientation_count):
            excluded[variety] = reason
            continue
        classes.append(variety)
        order = _interleaved_groups(members)
        if settings.kind == "plain":
            views.update({sha256: [IDENTITY] for sha256 in order})
        else:
            for source, orientation in islice(balanced_pairs(len(order), orientation_count), settings.target):
                views[order[source]].append(all_orientations[orientation])
    kept = set(classes)
    views.update(
        {row["sha256"]: [IDENTITY] for row in sources if row["split"] != "train" and row["variety"] in kept}
    )
    return Plan(classes, excluded, {sha256: sorted(views[sha256]) for sha256 in sorted(views)})


def _too_few(sources: int, settings: DatasetParams, orientation_count: int) -> str | None:
    if not sources:
        return "no training image"
    possible = sources * orientation_count
    if settings.minimum is not None and possible < settings.minimum:
        return (
            f"{sources} training images in {orientation_count} orientations make {possible}, "
            f"fewer than {settings.minimum}"
        )
    return None


def _interleaved_groups(members: list[Row]) -> list[str]:
    """The training images of a class with its groups interleaved, the smallest group first.

    If some images get one more view than others, no group gets a second extra view before every other group
    with images left has one.
    """
    sizes = Counter(row["group_id"] for row in members)
    ranks: Counter[str] = Counter()
    order = []
    for row in sorted(members, key=lambda row: _shuffled(row["sha256"])):
        group = row["group_id"]
        order.append((ranks[group], sizes[group], row["sha256"]))
        ranks[group] += 1
    return [sha256 for *_, sha256 in sorted(order, key=lambda item: item[:2])]


def _shuffled(sha256: str) -> bytes:
    return hashlib.sha256(f"order {sha256}".encode()).digest()


def _check_classes(plan: Plan, sources: Iterable[Row], dataset: str) -> None:
    if len(plan.classes) < 2:
        left_out = "; ".join(f"{variety}: {reason}" for variety, reason in list(plan.excluded.items())[:3])
        raise UserError(
            f"Dataset '{dataset}' would have {len(plan.classes)} of the two classes that it needs "
            f"({left_out or 'no other variety is kept'}); lower its minimum or crawl more."
        )
    found = {(row["variety"], row["split"]) for row in sources}
    for variety in plan.classes:
        for split in SPLITS:
            if (variety, split) not in found:
                raise UserError(
                    f"Dataset '{dataset}': class '{variety}' has no {split} image; raise 'split.{split}' "
                    "or crawl more of the class."
                )


def _species(varieties: list[str]) -> dict[str, str | None]:
    table = read_table(CLEAN_TABLE, CLEAN, ["variety", "species"])
    known = dict(zip(table["variety"].to_pylist(), table["species"].to_pylist(), strict=True))
    missing = [variety for variety in varieties if variety not in known]
    if missing:
        raise UserError(f"'{CLEAN_TABLE}' has no variety '{missing[0]}'; run 'gemcurate split' again.")
    return {variety: known[variety] for variety in varieties}


def _write_images(
    folder: Path,
    plan: Plan,
    sources: dict[str, Row],
    species: dict[str, str | None],
    size: int,
    progress: Progress,
) -> None:
    """Write the rows of DATASET, each split sorted by sha256 and orientation."""
    labels = {variety: label for label, variety in enumerate(plan.classes)}
    with ExitStack() as stack:
        writers = {name: stack.enter_context(ShardWriter(folder, DATASET, f"{name}-")) for name in SPLITS}
        for shard in map_shards(render_shard, _shards(plan, size)):
            for sha256, contents in shard:
                source, views = sources[sha256], plan.augmented_views[sha256]
                common = {
                    "label": labels[source["variety"]],
                    "species": species[source["variety"]],
                    **{column: source[column] for column in ("variety", "group_id", "sha256")},
                }
                for view, content in zip(views, contents, strict=True):
                    name = f"{sha256}-{view.rotation}{'m' if view.mirrored else ''}.jpg"
                    image = {"bytes": content, "path": name}
                    writers[source["split"]].write({"image": image, **common, **view._asdict()})
                progress.advance(len(views))


def _crop_record() -> dict[str, Any] | None:
    """The settings the crops were made with, so that other images can be cropped alike; None if unknown."""
    path = CROPS_FOLDER / CROP_RECORD
    try:
        record: dict[str, Any] | None = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise UserError(f"'{path}' is missing or incomplete; run 'gemcurate crop' again.") from None
    return record


def _images(plan: Plan) -> int:
    return sum(len(views) for views in plan.augmented_views.values())


def _shards(plan: Plan, size: int) -> Iterator[Shard]:
    crops = _crops(plan)
    while batch := list(islice(crops, SHARD)):
        yield Shard(batch, size)


def _crops(plan: Plan) -> Iterator[StoredCrop]:
    missing = dict.fromkeys(plan.augmented_views)
    for batch in read_rows(CROPS_FOLDER, CROPS, ["image", "sha256"]):
        for row in batch.to_pylist():
            sha256 = row["sha256"]
            if sha256 in missing:
                del missing[sha256]
                yield StoredCrop(sha256, row["image"]["bytes"], plan.augmented_views[sha256])
    if missing:
        raise UserError(f"'{CROPS_FOLDER}' lacks image {next(iter(missing))}; run 'gemcurate crop' again.")


def render_shard(shard: Shard) -> list[tuple[str, list[bytes]]]:
    """For each crop its sha256 and its visible centre as a JPEG per orientation. Pure; single-threaded."""
    images = []
    for crop in shard.crops:
        stored = decode_rgb(crop.content)
        if len(stored) != stored_side(shard.size):
            raise UserError(
                f"'{CROPS_FOLDER}' was not made for 'crop.size' {shard.size}; run 'gemcurate crop'."
            )
        views = orient(stored, shard.size, crop.orientations)
        images.append((crop.sha256, [encode_jpeg(view) for view in views]))
    return images


def describe(plan: Plan, sources: Iterable[Row]) -> dict[str, Any]:
    """Source images, groups and images of each class, images by split, and why classes are excluded."""
    images: dict[str, Counter[str]] = defaultdict(Counter)
    groups: dict[str, set[str]] = defaultdict(set)
    used: Counter[str] = Counter()
    for row in sources:
        if row["sha256"] in plan.augmented_views:
            images[row["variety"]][row["split"]] += len(plan.augmented_views[row["sha256"]])
            groups[row["variety"]].add(row["group_id"])
            used[row["variety"]] += 1
    return {
        "images": {name: sum(counts[name] for counts in images.values()) for name in SPLITS},
        "classes": {
            variety: {
                "photos": used[variety],
                "groups": len(groups[variety]),
                **{name: images[variety][name] for name in SPLITS},
            }
            for variety in plan.classes
        },
        "excluded": plan.excluded,
    }


def _distribution(metrics: dict[str, Any]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["class", "split", "images"])
    for variety, counts in metrics["classes"].items():
        writer.writerows([variety, name, counts[name]] for name in SPLITS)
    return text.getvalue()
