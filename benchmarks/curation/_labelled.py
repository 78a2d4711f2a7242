"""Real pictures that a person labelled: a folder with a file of labels."""

import csv
import hashlib
from pathlib import Path
from typing import NamedTuple

from gemkit.errors import UserError, did_you_mean

#: Labels of pictures that cleaning must keep, and what they show.
GOOD = {
    "stone": "one cut or polished stone",
    "rough": "one rough specimen",
    "rough_fill": "a frame filled by stone",
}
#: Labels of pictures that cleaning must drop.
BAD = {
    "hand": "a hand",
    "several": "several stones",
    "nostone": "no stone",
    "jewel": "jewellery",
    "doc": "a document or screenshot",
    "textstone": "a stone with printed words",
    "watermark": "a stone under a watermark",
}
#: A label with this ending is of pictures that a generator made; they count neither as good nor as bad.
GENERATED = "_ai"
LABELS = {
    **GOOD,
    **BAD,
    **{f"{label}{GENERATED}": f"{shows}, generated" for label, shows in (GOOD | BAD).items()},
}

_REQUIRED = ("file", "label", "source")
#: The hashes are for people: `original_sha256` is that of the picture before it was made smaller.
_OPTIONAL = ("note", "sha256", "original_sha256")


class Picture(NamedTuple):
    """A labelled picture; `sha256` is that of its file.

    Pictures of one source share background and light; `note` tells kinds apart.
    """

    path: Path
    sha256: str
    label: str
    note: str
    source: str


class _Line(NamedTuple):
    """A line of the file of labels."""

    path: Path
    label: str
    note: str
    source: str


def read_labels(path: Path) -> list[Picture]:
    """The pictures in a CSV file with the columns file (relative to its folder), label, source and note.

    Raises UserError when the file or a picture is missing, and for unknown columns or labels.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            _check_columns(path, reader.fieldnames or ())
            lines = [_line(path, reader.line_num, row) for row in reader]
    except OSError as error:
        raise UserError(
            f"'{path}' cannot be read ({error.strerror}); give a CSV file of labels with --labels."
        ) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"'{path}' is not valid CSV in UTF-8 ({error}); save it as such.") from None
    if not lines:
        raise UserError(f"'{path}' has no pictures; add a line for each.")
    _check_files(path, lines)
    return [Picture(line.path, file_sha256(line.path), *line[1:]) for line in lines]


def file_sha256(path: Path) -> str:
    """The SHA-256 of a picture's file, in hexadecimal. Raises UserError when it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise UserError(f"Picture '{path}' cannot be read ({error.strerror}); make it readable.") from None


def _check_columns(path: Path, columns: list[str] | tuple[str, ...]) -> None:
    known = (*_REQUIRED, *_OPTIONAL)
    for column in columns:
        if column not in known:
            hint = did_you_mean(column, "columns", known)
            raise UserError(f"'{path}' has an unknown column '{column}'{hint}.")
    for column in _REQUIRED:
        if column not in columns:
            raise UserError(f"'{path}' lacks the column '{column}'; add it to the first line.")
    if len(set(columns)) < len(columns):
        raise UserError(f"'{path}' names a column twice in its first line; delete one of the two.")


def _line(path: Path, number: int, row: dict[str, str]) -> _Line:
    if None in row or None in row.values():
        raise UserError(f"'{path}', line {number}: it has another number of cells than the first line.")
    for column in _REQUIRED:
        if not row[column]:
            raise UserError(f"'{path}', line {number}: the cell '{column}' is empty; fill it in.")
    label = row["label"]
    if label not in LABELS:
        hint = did_you_mean(label, "labels", list(LABELS))
        raise UserError(f"'{path}', line {number}: unknown label '{label}'{hint}.")
    return _Line(path.parent / row["file"], label, row.get("note", ""), row["source"])


def _check_files(path: Path, lines: list[_Line]) -> None:
    seen: set[Path] = set()
    for line in lines:
        if line.path in seen:
            raise UserError(f"'{path}' lists the picture '{line.path}' twice; delete one of the lines.")
        seen.add(line.path)
    missing = [line.path for line in lines if not line.path.is_file()]
    if missing:
        raise UserError(
            f"'{path}': {len(missing)} of {len(lines)} pictures are missing, the first is '{missing[0]}'; "
            "put them there or delete their lines."
        )
