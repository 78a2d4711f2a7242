"""Import user-supplied data, given by its path, as a dataset in `.cache/datasets`, once."""

import hashlib
import json
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from gemkit.errors import UserError, did_you_mean
from gemkit.project import Project
from gemkit.tables import write_text
from gemtrain.data.dataset import Dataset, dataset_names
from gemtrain.data.undecodable import UndecodableImages
from gemtrain.importers.assign_splits import TEST, SplitAssignment
from gemtrain.importers.convert import convert
from gemtrain.importers.image_folder import folder_source
from gemtrain.importers.source import Source
from gemtrain.tables import DATASET, SPLITS

#: Version of the import: raising it imports all data again.
_VERSION = 1

#: The file that marks an imported dataset as complete.
_METADATA = "metadata.json"

_SPLIT_WORDS = dict(zip(SPLITS, ("training", "validation", "test"), strict=True))


def load_dataset(project: Project, name: str | Path) -> Dataset:
    """A dataset of a project by its name, or at a path, whose data is imported first (`import_dataset`).

    Its `splits` (train, validation, test) hold the labels and pixels of the images, `varieties` and `species`
    name its classes by label. Raises UserError when it is missing or cannot be trained on.
    """
    return Dataset(project, import_dataset(project, str(name))[0])


def import_dataset(project: Project, value: str) -> tuple[str, list[str]]:
    """The name of the dataset that `value` means, and notes about the data if it was imported.

    `value` is the name of a dataset in data/datasets or of an imported one, or the path of a folder with
    class folders of images, of Parquet in Hugging Face's layout (a file or a folder), or of a `.mat` file in
    that of SAT-4 or SAT-6. The data is converted into `.cache/datasets/<name>` once, and again when it has
    changed. Raises UserError.
    """
    path = Path(value)
    is_name, is_path = path.name == value not in ("", ".."), bool(value) and _exists(path)
    if is_name and _exists(project.dataset(value)):
        return value, []
    if is_name and not is_path and _exists(project.imported_datasets / value / _METADATA):
        return value, []
    if not is_path:
        raise UserError(
            f"There is no dataset '{project.dataset(value)}' and no file or folder "
            f"'{path}'{did_you_mean(value, 'datasets', dataset_names(project))}. Make it with 'gemcurate "
            "balance' (dvc repro), or give the path of a folder, a Parquet file or a .mat file of images."
        )
    if path.resolve().parent == project.datasets.resolve():
        return path.resolve().name, []
    name = safe_name(path)
    if project.dataset(name).exists():
        raise UserError(
            f"'{path}' has the same name as the dataset '{project.dataset(name)}', so their models would "
            "collide; rename the folder or file."
        )
    finished = _dataset_files(path)
    source = Source("dataset", finished, lambda: iter(())) if finished else find_source(path)
    fingerprint, folder = _fingerprint(source, path), project.imported_datasets / name
    metadata = _read_metadata(folder / _METADATA)
    if metadata.get("fingerprint") != fingerprint:
        shutil.rmtree(folder, ignore_errors=True)
        try:
            if finished:
                shutil.copytree(path, folder)
                notes = [f"{path}: a dataset of 'gemcurate balance'"]
            else:
                notes = _notes(source, path, *convert(source, path, name, folder))
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        metadata = {"fingerprint": fingerprint, "notes": notes}
        write_text(folder / _METADATA, json.dumps(metadata, indent=2, ensure_ascii=False) + "\n")
    return name, metadata["notes"]


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # too long a name for a file
        return False


def safe_name(path: Path) -> str:
    """A short name for the folders of a dataset's models and metrics: letters, digits, `._-`."""
    path = path.resolve()
    name = path.name if path.is_dir() else path.stem
    return re.sub(r"[^\w.-]+", "-", name).strip("-.")[:60] or "dataset"


def _dataset_files(path: Path) -> list[Path]:
    """The files of a finished dataset, from another project folder; none for anything else."""
    files_of = [sorted(path.glob(f"{split}-*.parquet")) for split in SPLITS]
    if not all(files_of):
        return []
    files = [file for found in files_of for file in found]
    try:
        return files if all(set(DATASET.names) <= set(pq.read_schema(file).names) for file in files) else []
    except (pa.ArrowException, OSError):  # `find_source` reports it
        return []


def find_source(path: Path) -> Source:
    """The data at a path. Raises UserError if there is none to train on."""
    if path.is_file():
        files = [path]
    else:
        found = (file for file in path.rglob("*") if file.is_file())
        files = sorted(file for file in found if not _is_hidden(file.relative_to(path)))
    tables = [file for file in files if file.suffix.lower() == ".parquet"]
    matrices = [file for file in files if file.suffix.lower() == ".mat"]
    images = folder_source(path, files) if path.is_dir() else None
    # A single folder of images next to tables is only decoration.
    if images and images.count and not (tables and len({file.parent for file in images.files}) == 1):
        return images
    if tables:
        from gemtrain.importers.parquet import parquet_source

        return parquet_source(path, tables)
    if len(matrices) == 1:
        from gemtrain.importers.mat import mat_source

        return mat_source(matrices[0])
    if path.is_file():
        raise UserError(
            f"'{path}' is not a folder, a Parquet file or a .mat file; "
            "give the path of one (unpack archives first)."
        )
    raise UserError(
        f"'{path}' contains {len(matrices)} .mat files; give the path of one of them."
        if matrices
        else f"'{path}' contains no image in a class folder, no Parquet file and no .mat file; "
        "it must contain files such as 'ruby/1.jpg' or 'train/ruby/1.jpg'."
    )


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def _fingerprint(source: Source, path: Path) -> str:
    """Changes with the name, size or modification time of any file."""
    root = path if path.is_dir() else path.parent
    digest = hashlib.sha256(f"{_VERSION} {source.kind}\n".encode())
    for file in source.files:
        status = file.stat()
        line = f"{file.relative_to(root)} {status.st_size} {status.st_mtime_ns}\n"
        digest.update(line.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _read_metadata(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return content
    except (OSError, ValueError):
        return {}


def _notes(
    source: Source,
    path: Path,
    assignment: SplitAssignment,
    varieties: list[str],
    undecodable: UndecodableImages,
) -> list[str]:
    """Notes about the data: its content, which splits were drawn, what was left out."""
    counts = Counter(split for split in assignment.splits if split)
    lines = [
        f"{path}: {source.kind} of {len(varieties)} classes, "
        + ", ".join(f"{counts[split]:,} {words}" for split, words in _SPLIT_WORDS.items())
        + " images"
    ]
    if assignment.drawn:
        lines.append(f"{' and '.join(assignment.drawn)} drawn by hash, {TEST:.0%} of each class")
    if assignment.shared:
        lines.append(
            f"images in several of its own splits ({assignment.shared:,}): copies of test images are left "
            "out of validation and training, those of validation images out of training"
        )
    left_out = {
        "copies of others": assignment.copies,
        "images of several classes": assignment.contradicting,
        **{f"images {reason}": count for reason, count in sorted(source.skipped.items())},
    }
    if any(left_out.values()):
        found = (f"{what} ({count:,})" for what, count in left_out.items() if count)
        lines.append(f"left out: {', '.join(found)}")
    if undecodable:
        lines.append(f"left out: images that cannot be decoded ({len(undecodable):,}): {undecodable}")
    return lines
