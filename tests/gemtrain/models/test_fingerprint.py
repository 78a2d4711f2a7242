"""The fingerprint of a network names the code that it is made of, and no other network's."""

import json
from pathlib import Path

import pytest

from gemkit.errors import UserError
from gemtrain.models.fingerprint import write_fingerprint


def files_of(content: dict[str, str]) -> set[str]:
    return {Path(name).name for name in content if name != "network"}


def test_each_network_has_its_own_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    vgg, gemnet = (write_fingerprint(f"my-{name}", name) for name in ("vgg16", "gemnet"))
    assert json.loads(Path("data/networks/my-vgg16.json").read_text()) == vgg
    assert files_of(vgg) - files_of(gemnet) == {"vgg.py"}
    assert files_of(gemnet) - files_of(vgg) == {"gemnet.py"}
    assert {"classifier.py", "factory.py", "lookup.py", "registry.py"} <= files_of(vgg) & files_of(gemnet)


def test_a_network_of_timm_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    content = write_fingerprint("x", "timm/resnet18")
    assert content["network"] == "timm/resnet18" and "any_timm.py" in files_of(content)


def test_an_unknown_network_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="no network 'x'"):
        write_fingerprint("x", "x")
