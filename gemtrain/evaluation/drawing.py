"""Colours, texts and files of figures."""

import warnings
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from gemkit.tables import replaced

matplotlib.use("Agg")

GREY, BLUE, ORANGE = "#8a8f98", "#1565c0", "#c26a35"

#: The longest class name, in characters.
_MAX_NAME = 32


def plain(text: str) -> str:
    """Text that is drawn literally: a pair of dollar signs would be read as a formula."""
    return text.replace("$", r"\$")


def words(name: str, longest: int = _MAX_NAME) -> str:
    """The name of a class as words for a figure, truncated if it is too long."""
    readable = name.replace("_", " ")
    return plain(readable if len(readable) <= longest else readable[: longest - 1] + "…")


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG or JPEG, by the path's suffix."""
    with replaced(path) as temporary, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        if path.suffix == ".jpg":
            figure.savefig(temporary, format="jpeg", dpi=110, pil_kwargs={"quality": 88})
        else:
            figure.savefig(temporary, format="png", dpi=110, metadata={"Software": None})
