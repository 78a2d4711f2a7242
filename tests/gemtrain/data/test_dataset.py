"""Datasets that a model must not be evaluated on."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from gemkit.errors import UserError
from gemkit.project import Project
from gemtrain.data.dataset import Dataset
from tests.helpers.textures import write_rows


@pytest.mark.parametrize("change", [{"rotation": 45}, {"mirrored": True}])
@pytest.mark.parametrize("split", ["validation", "test"])
def test_augmented_validation_or_test_images_are_refused(
    gems: Path, split: str, change: dict[str, object]
) -> None:
    rows = pq.read_table(f"data/datasets/gems/{split}-00000.parquet").to_pylist()
    write_rows("gems", split, [{**rows[0], **change}, *rows[1:]])
    with pytest.raises(UserError, match=f"rotated or mirrored images in its {split} split"):
        Dataset(Project(), "gems").check_leaks()
