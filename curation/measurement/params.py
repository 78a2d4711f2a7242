"""The section `measure` of `params.yaml`."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from curation.params import moved_limits, read_section
from gemkit.strict_model import Share, StrictModel


class MeasureParams(StrictModel):
    """Settings of the text search.

    `text_side`: longer side of the image in which text is searched, pixels; `stroke_density`: minimum share
    of thin strokes in a word-sized window for text to be searched at all.
    """

    renamed_keys = moved_limits("measure") | {"text_look": "stroke_density"}

    text_side: Annotated[int, Field(ge=64, le=2048)] = 448
    stroke_density: Share = 0.4


def read_measure(path: Path) -> MeasureParams:
    """The section `measure`. Raises UserError for an unknown key or a wrong value."""
    return read_section(path, "measure", MeasureParams)
