"""Datasets that a model must not be evaluated on, and how images were cropped."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from curation.cropping.params import CropSettings
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


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{", "the file is not valid JSON"),
        ("[]", "the key 'crop' is missing"),
        ('{"size": 32}', "the key 'crop' is missing"),
        ('{"crop": {}}', "the key 'version' is missing"),
        ('{"crop": 3}', "the content must be a mapping of keys to values (found 3)"),
    ],
)
def test_unreadable_crop_settings_are_one_sentence(gems: Path, content: str, problem: str) -> None:
    path = Path("data/datasets/gems/classes.json")
    path.write_text(content)
    with pytest.raises(UserError) as error:
        assert Dataset(Project(), "gems").crop
    remedy = "run 'gemcurate balance --dataset gems' again"
    assert str(error.value) == f"'{path}' does not say how the images were cropped: {problem}; {remedy}."


def test_the_crop_settings_of_a_dataset(gems: Path) -> None:
    assert Dataset(Project(), "gems").crop is None
    path, settings = Path("data/datasets/gems/classes.json"), CropSettings(version=3, size=32)
    for crop in (None, settings):
        path.write_text(json.dumps({"crop": crop and crop.model_dump()}))
        assert Dataset(Project(), "gems").crop == crop
