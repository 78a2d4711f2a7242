"""What cleaning and cropping do with real pictures that a person labelled.

    python -m benchmarks.curation.real --labels FILE [--out FOLDER]

FILE is a CSV file with the columns file (relative to its folder), label, source and, if wanted, note. A label
says what a picture must be dropped for (hand, several, nostone, jewel, doc, textstone, watermark) or that it
is good (stone, rough, rough_fill); pictures of a generator (stone_ai, …) stand apart. The rules and crops are
the project's, with the settings of `params.yaml`. A picture counts as dropped if any rule drops it except
those on copies and names.

Each share has a 95 % interval. Pictures of one source (a shop, a collection) are alike, so sources are drawn,
not pictures. Each label is split by note, and given without its largest source where that has over a quarter
of it. Crops are compared with boxes drawn by hand (`stone_boxes.csv`). gems68, where all images are good, is
added if it is there. --out receives the tables, and a CSV file with the rules and the IoU of each picture.
"""

import argparse
import csv
import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from benchmarks._shared import GEMS68, NO_GEMS68
from benchmarks.curation._labelled import Picture, file_sha256, read_labels
from benchmarks.curation._real_tables import Judged, lost_table, sections
from benchmarks.curation._stone_boxes import StoneBox, crop_scores, read_boxes
from curation.cleaning.clean import clean
from curation.cleaning.params import CleanParams, read_clean
from curation.cleaning.rule_set import LABEL, compares_images
from curation.cropping.params import CropParams, read_crop
from curation.measurement.measure import measure
from curation.measurement.params import MeasureParams, read_measure
from curation.params import read_limits
from curation.tables import CLEAN
from gemkit.errors import run_command
from gemkit.executor.base import Limits
from gemkit.project import PARAMS, Project
from gemkit.tables import read_table, write_table
from scraper.tables import IMAGES

SITE = "pictures"
_NO_LABELS = "no labelled pictures; name a file of labels with --labels"


class Settings(NamedTuple):
    """The project's sections and limits that the figures depend on."""

    measure: MeasureParams
    clean: CleanParams
    crop: CropParams
    measure_limits: Limits
    crop_limits: Limits


def read_settings(params: Path = PARAMS) -> Settings:
    """The settings in a parameter file. Raises UserError as the stages do."""
    settings = read_clean(params)
    # Decisions are about other images, and the pictures have no names of varieties.
    settings = settings.model_copy(update={"decisions": None, "taxonomy": None, "merge": ()})
    limits = read_limits(params, "measure"), read_limits(params, "crop")
    return Settings(read_measure(params), settings, read_crop(params), *limits)


def judge(pictures: Sequence[Picture], drawn: Mapping[str, StoneBox], settings: Settings) -> list[Judged]:
    """Measure and clean the pictures, and crop those with a drawn box (by SHA-256)."""
    found = dropping_rules(pictures, settings)
    boxed = {picture.path: drawn[picture.sha256] for picture in pictures if picture.sha256 in drawn}
    scores = crop_scores(boxed, settings.crop, settings.crop_limits)
    return [
        Judged(
            picture,
            found[picture.sha256],
            boxed[picture.path].kind if picture.path in boxed else None,
            scores.get(picture.sha256),
        )
        for picture in pictures
    ]


def dropping_rules(pictures: Sequence[Picture], settings: Settings) -> dict[str, frozenset[str]]:
    """The rules on the image that drop each picture, by SHA-256, in a project that holds nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        project = Project(Path(folder))
        raw = project.raw(SITE)
        (raw / "images").mkdir(parents=True)
        rows = []
        for picture in pictures:
            stored = f"images/{picture.sha256}"
            if not (raw / stored).is_symlink():
                (raw / stored).symlink_to(picture.path.resolve())
            name = picture.path.name
            rows.append({"site": SITE, "sha256": picture.sha256, "path": stored, "file_name": name})
        write_table(raw / "images.parquet", pa.Table.from_pylist(rows, IMAGES))
        measure(project, SITE, settings.measure, settings.measure_limits)
        clean(project, [SITE], settings.clean)
        table = read_table(project.clean_table, CLEAN, ["sha256", "reasons"])
        return {row["sha256"]: _on_image(row["reasons"]) for row in table.to_pylist()}


def _on_image(reasons: Collection[dict[str, str]]) -> frozenset[str]:
    rules = {reason["rule"] for reason in reasons}
    return frozenset(rule for rule in rules if rule != LABEL and not compares_images(rule))


def gems68(settings: Settings) -> list[Judged]:
    """gems68's images, which are all good; the source of each is its class."""
    files = sorted(path for path in (GEMS68 / "train").rglob("*") if path.is_file())
    pictures = [Picture(path, file_sha256(path), "stone", "", path.parent.name) for path in files]
    found = dropping_rules(pictures, settings)
    return [Judged(picture, found[picture.sha256]) for picture in pictures]


def write_pictures(path: Path, judged: Sequence[Judged]) -> None:
    """One line a picture, with the rules that drop it and the IoU of its crop."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*Picture._fields, "rules", "iou"])
        for row in judged:
            iou = "" if row.iou is None else f"{row.iou:.3f}"
            writer.writerow([*row.picture, " ".join(sorted(row.rules)), iou])


def main() -> None:
    """Print the tables as Markdown. Raises UserError for bad labels."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--labels", type=Path, help="CSV file of labels, in the folder of the pictures")
    parser.add_argument("--out", type=Path, help="folder for the tables and the outcome of each picture")
    options = parser.parse_args()
    if options.labels is None:
        print(_NO_LABELS)
        return
    pictures = read_labels(options.labels)
    settings = read_settings()
    judged = judge(pictures, read_boxes(), settings)
    parts = [f"**{title}**\n\n{table}" for title, table in sections(judged)]
    parts.append(lost_table("gems68", gems68(settings)) if GEMS68.exists() else NO_GEMS68)
    text = "\n\n".join(parts)
    print(text)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "tables.md").write_text(text + "\n", encoding="utf-8")
        write_pictures(options.out / "pictures.csv", judged)


if __name__ == "__main__":
    run_command(main)
