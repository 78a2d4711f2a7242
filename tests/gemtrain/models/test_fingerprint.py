"""The fingerprint of a network names the code that it is made of, and no other network's."""

import json
from pathlib import Path

import pytest

from gemkit.errors import UserError
from gemkit.project import Project
from gemtrain.models.fingerprint import write_fingerprint
from tests.helpers.training import recipe_of


def files_of(content: dict[str, str]) -> set[str]:
    return {Path(name).name for name in content if name != "network"}


def test_each_network_has_its_own_files(tmp_path: Path) -> None:
    vgg, gemnet = (
        write_fingerprint(Project(tmp_path), recipe_of(name, 64).named(f"my-{name}"))
        for name in ("vgg16", "gemnet")
    )
    assert json.loads((tmp_path / "data/networks/my-vgg16.json").read_text()) == vgg
    assert files_of(vgg) - files_of(gemnet) == {"vgg.py"}
    assert files_of(gemnet) - files_of(vgg) == {"gemnet.py"}
    assert {"classifier.py", "factory.py", "lookup.py", "registry.py"} <= files_of(vgg) & files_of(gemnet)


def test_a_network_of_timm_is_named(tmp_path: Path) -> None:
    content = write_fingerprint(Project(tmp_path), recipe_of("timm/resnet18", 64).named("x"))
    assert content["network"] == "timm/resnet18" and "any_timm.py" in files_of(content)


def test_an_unknown_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no network 'x'"):
        write_fingerprint(Project(tmp_path), recipe_of("x", 64).named("x"))
