"""Parquet as Hugging Face stores image classification: an image column, a label column, splits by file."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from gemkit.errors import UserError
from gemtrain.importers.source import Record, Source, split_in, tidy

#: Names of the image and of the label column; the first one in the table is used.
_IMAGE_NAMES = ("image", "img", "picture", "photo", "jpg", "png")
_LABEL_NAMES = ("label", "labels", "fine_label", "class", "class_label", "target", "category", "variety")

#: Rows in memory at a time, as images may be large.
_BATCH = 64


@dataclass(frozen=True)
class _Columns:
    """The image and the label column, and the class names by label if labels are numbers with names."""

    image: str
    label: str
    classes: list[str] | None


def parquet_source(root: Path, files: list[Path]) -> Source:
    """The images of Parquet files below `root`, or of one file. Raises UserError when there are none.

    The split is in the file's name, or else in that of the nearest folder; if some files have one, the others
    are skipped, as are rows without a label.
    """
    splits = {file: _split(file, root) for file in files} if len(files) > 1 else dict.fromkeys(files)
    skipped: Counter[str] = Counter()
    if any(splits.values()):
        skipped["in files of no split"] = sum(
            _open(file).metadata.num_rows for file in files if splits[file] is None
        )
        files = [file for file in files if splits[file]]
    columns = {file: _columns(file) for file in files}
    width = len(str(max((_largest_label(file, names) for file, names in columns.items()), default=0)))

    def records() -> Iterator[Record]:
        for file in files:
            names, row = columns[file], 0
            location = file.name if file == root else file.relative_to(root).as_posix()
            for images, labels in _rows(file, names):
                for image, label in zip(images, labels, strict=True):
                    variety = _variety(label, names.classes, width)
                    if variety is None:
                        skipped["without a label"] += 1
                    else:
                        yield Record(f"{location} row {row}", variety, splits[file], image or b"")
                    row += 1

    count = sum(_open(file).metadata.num_rows for file in files)
    return Source("Parquet", files, records, count, skipped)


def _split(file: Path, root: Path) -> str | None:
    names = [file.stem, *reversed(file.relative_to(root).parts[:-1])]
    return next((split for name in names if (split := split_in(name))), None)


def _open(file: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(file)
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"'{file}' is not a complete Parquet file ({_reason(error)}).") from None


def _columns(file: Path) -> _Columns:
    schema = _open(file).schema_arrow
    duplicates = sorted(name for name, count in Counter(schema.names).items() if count > 1)
    if duplicates:
        raise UserError(f"'{file}' has several columns '{tidy(duplicates[0])}'; keep only one.")
    features = _features(schema)
    images = [field.name for field in schema if _holds_images(field.type)]
    labels = [field.name for field in schema if _holds_labels(field.type)]
    declared = [name for name in labels if _kind(features.get(name)) == "ClassLabel"]
    image = _choose(
        file, "image", images, _IMAGE_NAMES, [n for n in images if _kind(features.get(n)) == "Image"]
    )
    label = _choose(file, "label", labels, _LABEL_NAMES, declared)
    classes = features.get(label, {}).get("names") if label in declared else None
    whole = pa.types.is_integer(_value_type(schema.field(label).type))
    named = [tidy(name) for name in classes] if isinstance(classes, list) and whole else None
    return _Columns(image, label, named or None)


def _choose(file: Path, what: str, candidates: list[str], names: tuple[str, ...], declared: list[str]) -> str:
    """By name, else the only declared column, else the only candidate."""
    named = [name for name in names if name in candidates]
    if named:
        return named[0]
    for only in (declared, candidates):
        if len(only) == 1:
            return only[0]
    found = f"could be any of {', '.join(candidates)}" if candidates else "is missing"
    kind = "encoded images (binary)" if what == "image" else "whole numbers or text"
    raise UserError(f"'{file}': the {what} column {found}; name a column of {kind} '{what}'.")


def _features(schema: pa.Schema) -> dict[str, Any]:
    """Each column as described by Hugging Face's metadata."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return features if isinstance(features, dict) else {}
    except (KeyError, ValueError, TypeError):
        return {}


def _kind(feature: Any) -> str | None:
    return feature.get("_type") if isinstance(feature, dict) else None


def _holds_images(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        index = kind.get_field_index("bytes")
        return index >= 0 and _holds_images(kind.field(index).type)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _holds_labels(kind: pa.DataType) -> bool:
    kind = _value_type(kind)
    return any(
        check(kind)
        for check in (
            pa.types.is_integer,
            pa.types.is_boolean,
            pa.types.is_string,
            pa.types.is_large_string,
        )
    )


def _value_type(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _largest_label(file: Path, columns: _Columns) -> int:
    """The largest label, where labels are numbers without names."""
    if columns.classes:
        return 0
    kind = _open(file).schema_arrow.field(columns.label).type
    if not pa.types.is_integer(_value_type(kind)):
        return 0
    return max((label for _, labels in _rows(file, columns, False) for label in labels if label), default=0)


def _rows(
    file: Path, columns: _Columns, with_images: bool = True
) -> Iterator[tuple[list[bytes | None], list[Any]]]:
    """The images and labels, a batch at a time."""
    wanted = [columns.label] + ([columns.image] if with_images else [])
    try:
        with _open(file) as parquet:
            for batch in parquet.iter_batches(batch_size=_BATCH if with_images else 65536, columns=wanted):
                images = batch[columns.image].to_pylist() if with_images else []
                yield (
                    [image.get("bytes") if isinstance(image, dict) else image for image in images],
                    batch[columns.label].to_pylist(),
                )
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"'{file}' is not a complete Parquet file ({_reason(error)}).") from None


def _variety(label: Any, classes: list[str] | None, width: int) -> str | None:
    """The name of a label; None if there is none, as in test files without labels (-1)."""
    if label is None or label == "":
        return None
    if isinstance(label, bool) or not isinstance(label, int):
        return tidy(label) or None
    if classes is not None:
        return classes[label] if 0 <= label < len(classes) else None
    return f"{label:0{width}d}" if label >= 0 else None


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
