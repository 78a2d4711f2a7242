"""Data to import, and the dataset that it becomes."""

from collections import Counter
from pathlib import Path

import pytest

from gemkit.errors import UserError
from gemkit.project import Project
from gemtrain.data.dataset import Dataset
from gemtrain.importers.import_dataset import import_dataset
from tests.helpers.class_folders import CLASSES


def class_counts(dataset: str) -> dict[str, Counter[str]]:
    """The number of images of each class, by split."""
    return {name: Counter(split.varieties) for name, split in Dataset(Project(), dataset).splits.items()}


def each(count: int) -> Counter[str]:
    """The same number of images of every class."""
    return Counter(dict.fromkeys(CLASSES, count))


def refused(match: str, path: str = "gems") -> None:
    """Assert that an import fails with one sentence, and leaves nothing behind."""
    with pytest.raises(UserError, match=match) as error:
        import_dataset(Project(), path)
    assert "\n" not in str(error.value)
    assert not Path(".cache/datasets", path).exists()
