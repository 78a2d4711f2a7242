"""Strict models: unknown keys and former names of keys are errors with the key's path."""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import pytest

from gemkit.errors import UserError
from gemkit.params import validate_section
from gemkit.strict_model import StrictModel


class Settings(StrictModel):
    renamed_keys: ClassVar[Mapping[str, str]] = {"colour": "color"}
    color: str = "red"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 1}, "'params.yaml': unknown key 'crop.size'; the keys are color."),
        ({"colour": "blue"}, "'params.yaml': in 'crop' 'colour' is now 'color'; rename the key."),
        ({"color": 1}, "'params.yaml': 'crop.color' must be a string (found 1)."),
    ],
)
def test_wrong_keys_are_explained(settings: dict[str, object], message: str) -> None:
    with pytest.raises(UserError) as caught:
        validate_section(Path("params.yaml"), {"crop": settings}, "crop", Settings)
    assert str(caught.value) == message


def test_models_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().color = "blue"
