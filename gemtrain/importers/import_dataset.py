"""Data of one's own, named by its path: becomes a dataset like any other in `.cache/datasets`, once."""

import hashlib
import json
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from gemkit.errors import UserError
from gemkit.tables import write_text
from gemtrain.data.undecodable import Broken
from gemtrain.importers.assign_splits import TEST, Sides
from gemtrain.importers.convert import convert
from gemtrain.importers.image_folder import folder_source
from gemtrain.importers.source import Source
from gemtrain.tables import DATASET, DATASETS, OWN_DATASETS, SPLITS

#: Of all that happens to the data: a change has everything taken in again.
_VERSION = 1

_SIDE_WORDS = dict(zip(SPLITS, ("training", "validation", "test"), strict=True))


def take_in(value: str) -> tuple[str, list[str]]:
    """The name of the dataset that a person means, and what to know of it where it is data of their own.

    `value` is the name of a dataset in data/datasets, or the path of a folder with class folders of images,
    of Parquet as Hugging Face has it (a file or a folder), or of a `.mat` file of SAT-4 or SAT-6. What lies
    there is converted once, into `.cache/datasets/<name>`, and again when it has changed. Raises UserError.
    """
    path = Path(value)
    if path.name == value not in ("", "..") and _exists(DATASETS / value):
        return value, []
    if not value or not _exists(path):
        raise UserError(
            f"There is no dataset '{DATASETS / value}' and nothing lies at '{path}'; make it with "
            "'gemcurate balance' (dvc repro), or name a folder, Parquet or .mat file of images."
        )
    if path.resolve().parent == DATASETS.resolve():
        return path.resolve().name, []
    name = safe_name(path)
    if (DATASETS / name).exists():
        raise UserError(
            f"'{path}' would share its name with the dataset '{DATASETS / name}', and so their models; "
            "rename the folder or file."
        )
    finished = _dataset_files(path)
    source = Source("dataset", finished, lambda: iter(())) if finished else find_source(path)
    fingerprint, folder = _fingerprint(source, path), OWN_DATASETS / name
    about = _read_about(folder / "about.json")
    if about.get("fingerprint") != fingerprint:
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
        about = {"fingerprint": fingerprint, "notes": notes}
        # Last: it means that everything else is there.
        write_text(folder / "about.json", json.dumps(about, indent=2, ensure_ascii=False) + "\n")
    return name, about["notes"]


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # too long a name for a file
        return False


def safe_name(path: Path) -> str:
    """A short name of a folder or file for the folders of its models and metrics: letters, digits, `._-`."""
    path = path.resolve()
    name = path.name if path.is_dir() else path.stem
    return re.sub(r"[^\w.-]+", "-", name).strip("-.")[:60] or "dataset"


def _dataset_files(path: Path) -> list[Path]:
    """The files of a dataset that is one already, of another project folder; none for anything else."""
    sides = [sorted(path.glob(f"{side}-*.parquet")) for side in SPLITS]
    if not all(sides):
        return []
    files = [file for side in sides for file in side]
    try:
        return files if all(set(DATASET.names) <= set(pq.read_schema(file).names) for file in files) else []
    except (pa.ArrowException, OSError):  # `find_source` says so
        return []


def find_source(path: Path) -> Source:
    """What lies at a path. Raises UserError when that is nothing that can be learnt from."""
    if path.is_file():
        files = [path]
    else:
        found = (file for file in path.rglob("*") if file.is_file())
        files = sorted(file for file in found if not _is_hidden(file.relative_to(path)))
    tables = [file for file in files if file.suffix.lower() == ".parquet"]
    matrices = [file for file in files if file.suffix.lower() == ".mat"]
    images = folder_source(path, files) if path.is_dir() else None
    # A single folder of images beside tables is decoration.
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
            f"'{path}' is no folder, no Parquet and no .mat file; name one of these (unpack archives)."
        )
    raise UserError(
        f"'{path}' holds {len(matrices)} .mat files; name one of them."
        if matrices
        else f"'{path}' holds no image in a class folder, no Parquet and no .mat file; it must hold files "
        "such as 'ruby/1.jpg' or 'train/ruby/1.jpg'."
    )


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def _fingerprint(source: Source, path: Path) -> str:
    """Changes with the name, size or time of any file."""
    root = path if path.is_dir() else path.parent
    digest = hashlib.sha256(f"{_VERSION} {source.kind}\n".encode())
    for file in source.files:
        status = file.stat()
        line = f"{file.relative_to(root)} {status.st_size} {status.st_mtime_ns}\n"
        digest.update(line.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _read_about(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _notes(source: Source, path: Path, sides: Sides, varieties: list[str], broken: Broken) -> list[str]:
    """What to know of the data: what there is, which sides were drawn, what was left out."""
    counts = Counter(side for side in sides.sides if side)
    lines = [
        f"{path}: {source.kind} of {len(varieties)} classes, "
        + ", ".join(f"{counts[side]:,} {words}" for side, words in _SIDE_WORDS.items())
        + " images"
    ]
    if sides.drawn:
        lines.append(f"{' and '.join(sides.drawn)} drawn by hash, {TEST:.0%} of each class")
    if sides.shared:
        lines.append(
            f"images in several of its own splits ({sides.shared:,}): copies of test images are left out of "
            "validation and training, those of validation images of training"
        )
    left_out = {
        "copies of others": sides.copies,
        "images of several classes": sides.contradicting,
        **{f"images {reason}": count for reason, count in sorted(source.passed_over.items())},
    }
    if any(left_out.values()):
        found = (f"{what} ({count:,})" for what, count in left_out.items() if count)
        lines.append(f"left out: {', '.join(found)}")
    if broken:
        lines.append(f"left out: images that cannot be decoded ({len(broken):,}): {broken}")
    return lines
