"""The `.mat` files of SAT-4 and SAT-6 (Basu et al., DeepSat, SIGSPATIAL 2015), and others with the same
layout.

`train_x` and `test_x` are uint8 arrays [height, width, bands, N]; `train_y` and `test_y` [classes, N] are 1
at the class and 0 elsewhere; `annotations` is a cell array of the class names.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from gemkit.arrays import Array, Ints
from gemkit.errors import UserError
from gemtrain.importers.source import Record, Source, tidy

_SPLITS = {"train": "train", "validation": "validation", "val": "validation", "test": "test"}


def mat_source(path: Path) -> Source:
    """The images of a file of MATLAB 5 or 7. Raises UserError if it is not one or has another layout."""
    arrays = {name: shape for name, shape, _ in _read(path, None)}
    splits = [name for name in _SPLITS if f"{name}_x" in arrays and f"{name}_y" in arrays]
    if "train" not in splits:
        raise UserError(
            f"'{path}' contains {', '.join(sorted(arrays)) or 'nothing'}; it must contain 'train_x' "
            "[height, width, bands, N] and 'train_y' [classes, N], and may contain 'test_x' and 'test_y'."
        )
    for name in splits:
        shape = arrays[f"{name}_x"]
        if len(shape) != 4 or shape[2] not in (1, 3, 4):
            raise UserError(
                f"'{path}': '{name}_x' has the shape {list(shape)}; it must be [height, width, 1, 3 or 4, N]."
            )
    return Source(
        "MATLAB file",
        [path],
        lambda: _records(path, splits),
        sum(arrays[f"{name}_x"][3] for name in splits),
    )


def _records(path: Path, splits: list[str]) -> Iterator[Record]:
    # One array at a time: those of SAT-4 are 1.3 GB.
    labels_of = {name: _labels(path, f"{name}_y", _read(path, f"{name}_y")) for name in splits}
    classes = max(count for _, count in labels_of.values())
    names = _class_names(_read(path, "annotations"), classes)
    for name in splits:
        images, (labels, _) = _read(path, f"{name}_x"), labels_of[name]
        if images.dtype != np.uint8 or len(labels) != images.shape[3]:
            raise UserError(
                f"'{path}': '{name}_x' must be uint8 with as many images as '{name}_y' has labels (found "
                f"{images.dtype}, {images.shape[3]} images and {len(labels)} labels)."
            )
        for number, label in enumerate(labels.tolist()):
            location = f"{name}_x, image {number + 1}"
            yield Record(location, names[label], _SPLITS[name], np.ascontiguousarray(images[..., number]))
        del images


def _labels(path: Path, name: str, values: Array) -> tuple[Ints, int]:
    """The class of each image, [N] int64, and the number of classes; the longer of the two axes is N."""
    if hasattr(values, "toarray"):  # a sparse matrix
        values = values.toarray()
    if values.ndim == 2 and min(values.shape) > 1:
        marks = values if values.shape[0] <= values.shape[1] else values.T
        if np.all((marks == 0) | (marks == 1)) and np.all(marks.sum(axis=0) == 1):
            return marks.argmax(axis=0), len(marks)
    raise UserError(
        f"'{path}': '{name}' of shape {list(values.shape)} must have a single 1 for each image, at its "
        "class, and 0 elsewhere: [classes, N]."
    )


def _class_names(annotations: Any, classes: int) -> list[str]:
    """The names in rows of text and, if there is one, the vector they stand for; otherwise "class 1", ….

    A row is like `{'1,0,0,0', 'barren land'}`, in either order; rows without vectors are in order of class.
    """
    names: dict[int, str] = {}
    rows = np.atleast_2d([] if annotations is None else annotations)
    for row in rows.reshape(-1, 1) if len(rows) == 1 else rows:
        texts = [tidy(" ".join(map(str, np.ravel(cell)))) for cell in row]
        vectors = [re.findall(r"\d", text) for text in texts if re.fullmatch(r"[\s\d,;.\[\]]+", text)]
        words = [text for text in texts if re.search(r"[^\W\d]", text)]
        label = vectors[0].index("1") if vectors and "1" in vectors[0] else len(names)
        if len(words) == 1:
            names[label] = words[0]
    if sorted(names) == list(range(classes)) and len(set(names.values())) == classes:
        return [names[label] for label in range(classes)]
    width = len(str(classes))
    return [f"class {label + 1:0{width}d}" for label in range(classes)]


def _read(path: Path, name: str | None) -> Any:
    """The variable of that name (None if missing), or the list of (name, shape, class) of all."""
    from scipy.io import loadmat, whosmat

    try:
        if name is None:
            return whosmat(path)
        return loadmat(path, variable_names=[name]).get(name)
    except NotImplementedError:
        raise UserError(
            f"'{path}' is a MATLAB 7.3 file (HDF5), which cannot be read; save it as MATLAB 7 "
            "(save(…, '-v7') or scipy.io.savemat)."
        ) from None
    except MemoryError:
        raise
    except Exception as error:  # scipy raises many kinds of errors on untrusted input
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"'{path}' is not a complete MATLAB file ({reason}).") from None
