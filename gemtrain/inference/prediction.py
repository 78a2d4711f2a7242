"""A model's prediction for one image, as a record."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gemtrain.inference.prepare_images import Box
from gemtrain.scoring.rounding import rounded

#: The crop method of a whole image, when no stone was found.
NOTHING_FOUND = "original"


@dataclass(frozen=True)
class ClassProbability:
    """A class and its probability; `species` is None if that of the variety is open."""

    variety: str
    probability: float
    species: str | None


@dataclass(frozen=True)
class SpeciesProbability:
    """A species, None if open, and the total probability of its varieties."""

    species: str | None
    probability: float


@dataclass(frozen=True)
class Prediction:
    """A model's prediction for one image: the most probable varieties, and the most probable species.

    `accepted`: whether the model is sure of the first variety, by its confidence `threshold` (None: never).
    An image in which no stone was found is never accepted: the model was trained on stones. `crop_box` is
    left, top, right, bottom in pixels of the upright image, `method` as in data/crops; None if nothing was
    cropped. `file` is None if the image was not a file.
    """

    file: Path | None
    crop_box: Box | None
    method: str | None
    top: list[ClassProbability]
    species: SpeciesProbability
    accepted: bool
    threshold: float | None

    def to_json(self) -> dict[str, Any]:
        """The record of `--json`, of JSON's types, probabilities with four decimals."""
        record: dict[str, Any] = rounded(asdict(self) | {"file": self.file and str(self.file)})
        return record
