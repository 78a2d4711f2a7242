"""Folders that data is imported into."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.textures import write_params


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, with parameters for a few steps."""
    monkeypatch.chdir(tmp_path)
    write_params(gemnet={"image_size": 34, "max_steps": 2})
    return tmp_path


@pytest.fixture
def inline(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, with images decoded in this process: starting workers takes a second each time."""

    def map_in_order(function: Callable[[Any], Any], items: Iterable[Any], *_: Any) -> Iterator[Any]:
        return map(function, items)

    monkeypatch.setattr("gemtrain.importers.convert.map_in_order", map_in_order)
    return here
