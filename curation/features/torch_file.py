"""Read the tensors of a file that torch.save wrote before PyTorch 1.6, without torch and without running it.

The file is five pickles (magic number, protocol, system, the table of tensors, the keys of the storages),
then the storages, each as its length (int64) and its values, all little-endian. Source:
`torch.serialization._legacy_save`.
"""

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from gemkit.arrays import Array
from gemkit.errors import UserError

_MAGIC = 0x1950A86A20F9469CFC6C
_DTYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


class _Storage(NamedTuple):
    """Where a tensor's values are: a key of the file's storages."""

    key: str
    dtype: np.dtype[Any]


class _Layout(NamedTuple):
    """A tensor without its values; `offset` and `strides` count values, not bytes."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _layout(storage: _Storage, offset: int, shape: Any, strides: Any, *_: object) -> _Layout:
    return _Layout(storage, offset, tuple(shape), tuple(strides))


class _Unpickler(pickle.Unpickler):
    """Knows tables of tensors and nothing else: any other class or function is refused, never imported."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _layout
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        raise pickle.UnpicklingError(f"it refers to {module}.{name}")

    def persistent_load(self, reference: Any) -> _Storage:
        _, dtype, key, *_ = reference
        return _Storage(key, dtype)


def read_tensors(path: Path) -> dict[str, Array]:
    """The tensors of the file by name. Raises UserError for anything but a table of tensors."""
    try:
        with path.open("rb") as file:
            return _read(file)
    except Exception as error:  # a pickle raises all kinds of errors on bytes that are not one
        reason = str(error) or type(error).__name__
        raise UserError(
            f"'{path}' is not a readable table of weights ({reason}); install it again."
        ) from None


def _read(file: BinaryIO) -> dict[str, Array]:
    if _Unpickler(file).load() != _MAGIC:
        raise pickle.UnpicklingError("it does not begin with PyTorch's magic number")
    for _ in ("protocol", "system"):
        _Unpickler(file).load()
    layouts: dict[str, _Layout] = _Unpickler(file).load()
    dtypes = {layout.storage.key: layout.storage.dtype for layout in layouts.values()}
    storages = {key: _values(file, dtypes[key]) for key in _Unpickler(file).load()}
    return {name: _tensor(layout, storages[layout.storage.key]) for name, layout in layouts.items()}


def _values(file: BinaryIO, dtype: np.dtype[Any]) -> Array:
    size = int.from_bytes(file.read(8), "little") * dtype.itemsize
    return np.frombuffer(file.read(size), dtype)


def _tensor(layout: _Layout, values: Array) -> Array:
    """The tensor as a copy; reading beyond the storage raises ValueError."""
    last = layout.offset + sum((n - 1) * step for n, step in zip(layout.shape, layout.strides, strict=True))
    if min(layout.offset, *layout.strides, *layout.shape, 0) < 0 or last >= len(values):
        raise ValueError("a tensor reaches beyond its values")
    strides = [step * values.itemsize for step in layout.strides]
    return np.lib.stride_tricks.as_strided(values[layout.offset :], layout.shape, strides).copy()
