"""Rules on one image, one module each, discovered automatically: a new file here is a new rule.

A rule module `<name>.py` holds

- `Settings`, a `StrictModel` with the thresholds and their defaults (params.yaml, clean.rules.<name>),
- `find(images, settings)`, a pure function that looks at all images at once and yields a `Finding` for each
  that it drops,
- where a threshold is a minimum, `DROPS_BELOW`: the measurements of which values below it are dropped.

Every rule runs, with its defaults unless params.yaml sets others; `<name>: false` there switches one off.
Duplicates and labels are steps of their own: `exact_duplicate.py`, `near_duplicate.py` and `label.py` in the
folder above.
"""

import pkgutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
from pydantic import Field

from curation.cleaning.image_table import ImageTable
from curation.cleaning.reasons import Finding, Reason
from gemkit.arrays import Bools, Floats
from gemkit.strict_model import StrictModel


class ClassifierSettings(StrictModel):
    """Settings of a rule that uses the content classifier (`curation/cleaning/content_classifier.py`).

    `min_probability`: an image with a higher probability of the rule's class is dropped whatever its signs;
    `veto_probability`: below it the rule's own signs are ignored.
    """

    renamed_keys: ClassVar = {"likeness": "min_probability", "doubt": "veto_probability"}

    min_probability: Annotated[float, Field(ge=0, le=1)] = 0.5
    veto_probability: Annotated[float, Field(ge=0, le=1)] = 0.1


class Sign(NamedTuple):
    """The images in `where`, whose `values` of a measurement crossed a threshold; both have one per image."""

    where: Bools
    measurement: str
    values: Floats
    threshold: float
    text: str
    kind: str | None = None

    def findings(self, allowed: Bools | None = None) -> Iterator[Finding]:
        """One finding for each image in `where`, unless it is not `allowed`."""
        where = self.where if allowed is None else self.where & allowed
        for row in np.flatnonzero(where).tolist():
            value = float(self.values[row])
            yield Finding(row, self.text, self.kind, self.measurement, value, self.threshold)


def first_signs(signs: Iterable[Sign], allowed: Bools) -> Iterator[Finding]:
    """For each allowed image the first sign that it has."""
    for sign in signs:
        yield from sign.findings(allowed)
        allowed = allowed & ~sign.where


def classified_as(
    content_class: str, images: ImageTable, settings: ClassifierSettings, where: Bools, description: str
) -> Iterator[Finding]:
    """Findings for the images in `where` that the classifier assigns to that class."""
    predictions = images.content_predictions
    probability = predictions.probability(content_class)
    for row in np.flatnonzero(where & (probability > settings.min_probability)).tolist():
        yield Finding(
            row,
            f"{description}: {predictions.explain(row, content_class)}",
            "classifier",
            f"{content_class}_probability",
            float(probability[row]),
            settings.min_probability,
        )


@dataclass(frozen=True)
class Rule:
    """A rule on one image, with its settings."""

    name: str
    settings: StrictModel
    function: Callable[[ImageTable, Any], Iterable[Finding]]

    def find(self, images: ImageTable) -> list[Reason]:
        """The reasons this rule finds, in order of image."""
        found = sorted(self.function(images, self.settings), key=lambda finding: finding.row)
        return [Reason.of(self.name, finding) for finding in found]


def rule_names() -> list[str]:
    """The names of all rules on one image, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))
