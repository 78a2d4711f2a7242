"""Install the peers: Scrapy and img2dataset in a separate virtual environment, imagededup in a folder."""

import subprocess
import sys
from functools import lru_cache
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_REQUIREMENTS = Path(__file__).with_name("requirements.txt")
_HOME = _ROOT / ".cache/peers"
_INSTALL_SECONDS = 900

SCRAPY = Path(__file__).with_name("_scrapy.py")
IMG2DATASET = Path(__file__).with_name("_img2dataset.py")


@lru_cache
def peers() -> Path | None:
    """The Python interpreter of the environment with Scrapy and img2dataset, set up at first use.

    None, after a message, if they cannot be installed.
    """
    installed = _HOME / ".installed"
    wanted = _REQUIREMENTS.read_text(encoding="utf-8")
    if not installed.exists() or installed.read_text(encoding="utf-8") != wanted:
        try:
            _run(sys.executable, "-m", "venv", "--clear", _HOME)
            _run(_HOME / "bin/python", "-m", "pip", "install", "--quiet", "--requirement", _REQUIREMENTS)
        except (OSError, subprocess.SubprocessError):
            print("Scrapy and img2dataset cannot be installed; only gemscrape is measured.")
            return None
        installed.write_text(wanted, encoding="utf-8")
    return _HOME / "bin/python"


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=_INSTALL_SECONDS)


@lru_cache
def imagededup() -> Path | None:
    """A folder with imagededup, which uses the project's own torch and NumPy; set up at first use.

    None, after a message, if it cannot be installed.
    """
    folder = _ROOT / ".cache/imagededup"
    if not (folder / "imagededup").exists():
        packages = ["imagededup>=0.3.3", "pywavelets>=1.6"]
        try:
            _run(
                sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder, *packages
            )
        except (OSError, subprocess.SubprocessError):
            print("imagededup cannot be installed; only this project's search is measured.")
            return None
    return folder
