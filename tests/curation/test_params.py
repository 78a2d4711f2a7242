"""A renamed key of params.yaml gets an error that names the new key."""

from pathlib import Path

import pytest

from curation.measurement.params import read_measure
from gemkit.errors import UserError


def test_an_old_key_names_its_new_name(tmp_path: Path) -> None:
    params = tmp_path / "params.yaml"
    params.write_text("measure: {text_look: 0.4}")
    with pytest.raises(UserError, match="in 'measure' 'text_look' is now 'stroke_density'; rename the key"):
        read_measure(params)
