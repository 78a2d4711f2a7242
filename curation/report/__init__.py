"""The command `report`: one self-contained HTML page about the dataset."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curation.cleaning.params import CleanParams
from curation.cleaning.rule_set import load_rules
from curation.cropping.params import CropParams
from curation.datasets.params import BalanceParams
from curation.report.cleaning import describe_cleaning
from curation.report.crops import describe_crops
from curation.report.data import read_images
from curation.report.datasets import describe_datasets
from curation.report.duplicates import describe_duplicates
from curation.report.groups_and_split import describe_groups, describe_split
from curation.report.labels import describe_labels
from curation.report.sources import describe_sources
from curation.report.thumbnails import Album
from curation.taxonomy.taxonomy import read_taxonomy
from gemkit.errors import UserError
from gemkit.html import render
from gemkit.progress import Progress
from gemkit.project import Project
from gemkit.tables import write_text

_PAGE = Path(__file__).with_name("page.html")

#: The sections made from tables other than data/clean.parquet, which may not exist yet.
_MAY_BE_MISSING = ("sources", "crops", "split", "datasets")


@dataclass(frozen=True)
class ReportSummary:
    """The page and its size; the images, the thumbnails and the sections that could not be made."""

    page: Path
    bytes: int
    images: int
    kept: int
    thumbnails: int
    unreadable_images: int
    left_out: list[str]


def report(
    project: Project,
    sites: Collection[str],
    cleaning: CleanParams = CleanParams(),
    cropping: CropParams = CropParams(),
    balancing: BalanceParams = BalanceParams(),
    output: Path | None = None,
) -> ReportSummary:
    """Write the page about data/clean.parquet and the tables made from it so far; returns a summary.

    `output`: by default reports/curation.html of the project. A section whose tables do not exist yet says
    which stage to run. The same tables give the same bytes. Raises UserError when the page cannot be made: no
    data/clean.parquet, an invalid rule, or an output that is a folder.
    """
    output = output or project.reports / "curation.html"
    rules = load_rules(cleaning.rules)
    taxonomy = read_taxonomy(cleaning.taxonomy_file(project), cleaning.merge)
    images = read_images(project, sites, taxonomy)
    with Progress("report", unit="images") as progress:
        album = Album(images, progress)
        sections: dict[str, Any] = {
            "sources": describe_sources(images),
            "cleaning": describe_cleaning(images, rules, album),
            "duplicates": describe_duplicates(images, album),
            "labels": describe_labels(images, album),
            "groups": describe_groups(images, album),
            "crops": describe_crops(images, cropping, album),
            "split": describe_split(images),
            "datasets": describe_datasets(images, balancing, cropping.size),
        }
    try:
        write_text(output, render(_PAGE, **sections))
    except (FileExistsError, IsADirectoryError, NotADirectoryError) as error:
        raise UserError(f"'{output}' cannot be written ({error.strerror}); name another file.") from None
    return ReportSummary(
        page=output,
        bytes=output.stat().st_size,
        images=len(images),
        kept=int(images.keep.sum()),
        thumbnails=album.count,
        unreadable_images=album.unreadable,
        left_out=[name for name in _MAY_BE_MISSING if sections[name].missing],
    )
