"""`params.yaml`: what it may contain, and the error for everything else."""

from pathlib import Path

import pytest

from gemkit.errors import UserError
from gemkit.params import load_params


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sites: [demo", "not valid YAML"),
        ("- a", "must be a mapping"),
        ("stes: [demo]", "unknown key 'stes'"),
        ("sites: demo", "'sites' must be a list of names"),
        ("sites: [1]", "'sites' must be a list of names"),
    ],
)
def test_invalid_params_are_explained(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(UserError, match=words):
        load_params(tmp_path / "params.yaml")


@pytest.mark.parametrize(
    ("text", "value"),
    [("5e-4", 5e-4), ("1e3", 1e3), ("-.5E+2", -50.0), ("'5e-4'", "5e-4"), ("2e", "2e"), ("1e5a", "1e5a")],
)
def test_numbers_with_an_exponent_need_no_decimal_point(
    tmp_path: Path, text: str, value: float | str
) -> None:
    (tmp_path / "params.yaml").write_text(f"train: {{rate: {text}}}")
    assert load_params(tmp_path / "params.yaml")["train"]["rate"] == value
