"""The `.mat` files of SAT-4 and SAT-6 (Basu et al., DeepSat, SIGSPATIAL 2015), and others laid out alike.

`train_x` and `test_x` are uint8 arrays [height, width, bands, N]; `train_y` and `test_y` [classes, N] are 1
at the class and 0 elsewhere; `annotations` is a cell array that names the classes.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from gemkit.errors import UserError
from gemtrain.importers.source import Record, Source, tidy

_SIDES = {"train": "train", "validation": "validation", "val": "validation", "test": "test"}


def mat_source(path: Path) -> Source:
    """The images of a file of MATLAB 5 or 7. Raises UserError when it is none or is laid out otherwise."""
    arrays = {name: shape for name, shape, _ in _read(path, None)}
    sides = [name for name in _SIDES if f"{name}_x" in arrays and f"{name}_y" in arrays]
    if "train" not in sides:
        raise UserError(
            f"'{path}' holds {', '.join(sorted(arrays)) or 'nothing'}; it must hold 'train_x' "
            "[height, width, bands, N] and 'train_y' [classes, N], and may hold 'test_x' and 'test_y'."
        )
    for name in sides:
        shape = arrays[f"{name}_x"]
        if len(shape) != 4 or shape[2] not in (1, 3, 4):
            raise UserError(
                f"'{path}': '{name}_x' is of shape {list(shape)}; [height, width, 1, 3 or 4, N] is needed."
            )
    return Source(
        "MATLAB file",
        [path],
        lambda: _records(path, sides),
        sum(arrays[f"{name}_x"][3] for name in sides),
    )


def _records(path: Path, sides: list[str]) -> Iterator[Record]:
    # One array at a time: those of SAT-4 are 1.3 GB.
    answers = {name: _labels(path, f"{name}_y", _read(path, f"{name}_y")) for name in sides}
    classes = max(count for _, count in answers.values())
    names = _class_names(_read(path, "annotations"), classes)
    for name in sides:
        images, (labels, _) = _read(path, f"{name}_x"), answers[name]
        if images.dtype != np.uint8 or len(labels) != images.shape[3]:
            raise UserError(
                f"'{path}': '{name}_x' must be uint8 with as many images as '{name}_y' has labels (found "
                f"{images.dtype}, {images.shape[3]} images and {len(labels)} labels)."
            )
        for number, label in enumerate(labels.tolist()):
            place = f"{name}_x, image {number + 1}"
            yield Record(place, names[label], _SIDES[name], np.ascontiguousarray(images[..., number]))
        del images


def _labels(path: Path, name: str, values: np.ndarray) -> tuple[np.ndarray, int]:
    """The class of each image, [N] int64, and the number of classes; of the two axes the longer is N."""
    if hasattr(values, "toarray"):  # a sparse matrix
        values = values.toarray()
    if values.ndim == 2 and min(values.shape) > 1:
        marks = values if values.shape[0] <= values.shape[1] else values.T
        if np.all((marks == 0) | (marks == 1)) and np.all(marks.sum(axis=0) == 1):
            return marks.argmax(axis=0), len(marks)
    raise UserError(
        f"'{path}': '{name}' of shape {list(values.shape)} must have a single 1 an image, at its class, "
        "and 0 elsewhere: [classes, N]."
    )


def _class_names(annotations: Any, classes: int) -> list[str]:
    """The names in rows of text and, where there is one, the vector they stand for; else "class 1", ….

    A row is like `{'1,0,0,0', 'barren land'}`, in either order; rows without vectors are in order of class.
    """
    names: dict[int, str] = {}
    rows = np.atleast_2d([] if annotations is None else annotations)
    for row in rows.reshape(-1, 1) if len(rows) == 1 else rows:
        texts = [tidy(" ".join(map(str, np.ravel(cell)))) for cell in row]
        vectors = [re.findall(r"\d", text) for text in texts if re.fullmatch(r"[\s\d,;.\[\]]+", text)]
        words = [text for text in texts if re.search(r"[^\W\d]", text)]
        place = vectors[0].index("1") if vectors and "1" in vectors[0] else len(names)
        if len(words) == 1:
            names[place] = words[0]
    if sorted(names) == list(range(classes)) and len(set(names.values())) == classes:
        return [names[label] for label in range(classes)]
    width = len(str(classes))
    return [f"class {label + 1:0{width}d}" for label in range(classes)]


def _read(path: Path, name: str | None) -> Any:
    """The variable of that name (None where there is none), or the list of (name, shape, class) of all."""
    from scipy.io import loadmat, whosmat

    try:
        if name is None:
            return whosmat(path)
        return loadmat(path, variable_names=[name]).get(name)
    except NotImplementedError:
        raise UserError(
            f"'{path}' is of MATLAB 7.3 (HDF5), which cannot be read here; save it as MATLAB 7 "
            "(save(…, '-v7') or scipy.io.savemat)."
        ) from None
    except MemoryError:
        raise
    except Exception as error:  # scipy raises whatever a stranger's bytes provoke
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"'{path}' is no complete MATLAB file ({reason}).") from None
