"""Tensors are read without torch, and nothing else that a pickle may hold is."""

import io
import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from curation.features.torch_file import read_tensors
from gemkit.errors import UserError


def saved(path: Path, content: Any) -> Path:
    """A file as PyTorch before 1.6 wrote it."""
    torch.save(content, path, _use_new_zipfile_serialization=False)
    return path


def test_tensors_are_read_as_torch_reads_them(tmp_path: Path) -> None:
    base = torch.arange(24, dtype=torch.float32)
    tensors = OrderedDict(
        plain=torch.randn(4, 3, 2, 2),
        turned=base.reshape(4, 6).t(),
        part=base[5:9],
        count=torch.tensor(7),
    )
    found = read_tensors(saved(tmp_path / "weights.pth", tensors))
    assert list(found) == list(tensors)
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(found[name], tensor.numpy())
        assert found[name].dtype == tensor.numpy().dtype


class _Harmful:
    def __init__(self, folder: Path):
        self.folder = folder

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("position", ["table", "start"])
def test_a_pickle_that_calls_a_function_is_refused(tmp_path: Path, position: str) -> None:
    harmful, path = _Harmful(tmp_path / "made"), tmp_path / "weights.pth"
    if position == "table":
        saved(path, {"weight": harmful})
    else:
        path.write_bytes(pickle.dumps(harmful))
    with pytest.raises(UserError, match=r"weights\.pth.*mkdir"):
        read_tensors(path)
    assert not harmful.folder.exists()


def test_a_file_that_was_cut_off_is_an_error(tmp_path: Path) -> None:
    path = saved(tmp_path / "weights.pth", {"weight": torch.ones(100)})
    whole = path.read_bytes()
    for length in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match="install it again"):
            read_tensors(path)


_BUFFER = io.BytesIO()
torch.save({"weight": torch.ones(3)}, _BUFFER, _use_new_zipfile_serialization=False)
WHOLE = _BUFFER.getvalue()


@given(place=st.integers(0, len(WHOLE) - 1), byte=st.integers(0, 255))
def test_a_damaged_file_gives_tensors_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, place: int, byte: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.pth"
    path.write_bytes(WHOLE[:place] + bytes([byte]) + WHOLE[place + 1 :])
    try:
        tensors = read_tensors(path)
    except UserError:
        return
    assert all(isinstance(tensor, np.ndarray) for tensor in tensors.values())
