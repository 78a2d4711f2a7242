"""Cleaning rules, one module each, discovered automatically: a new file here is a new rule.

A rule module `<name>.py` holds

- `Settings`, a `StrictModel` with the thresholds and their defaults (params.yaml, clean.rules.<name>),
- `find(images, settings)`, which looks at all images at once and yields a `Reason` for each that it drops,
- `PHASE`, unless it is "image": rules on each image alone run first; then "copies", which compare the
  remaining images; then "labels", which read the label resolved from the class names of an image and its
  copies.

Every rule runs, with its defaults unless params.yaml sets others; `<name>: false` there switches one off.
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import numpy as np
from pydantic import Field

from curation.cleaning.image_table import ImageTable
from gemkit.errors import UserError
from gemkit.params import DEFAULT_PATH, validate_section
from gemkit.strict_model import StrictModel

PHASES = ("image", "copies", "labels")


class ClassifierSettings(StrictModel):
    """Settings of a rule that uses the content classifier (`curation/cleaning/content_classifier.py`).

    `min_probability`: an image with a higher probability of the rule's class is dropped whatever its signs;
    `veto_probability`: below it the rule's own signs are ignored.
    """

    renamed_keys: ClassVar = {"likeness": "min_probability", "doubt": "veto_probability"}

    min_probability: Annotated[float, Field(ge=0, le=1)] = 0.5
    veto_probability: Annotated[float, Field(ge=0, le=1)] = 0.1


class Reason(NamedTuple):
    """Why the image at index `row` is dropped: the value, the threshold it crossed, and text for people."""

    row: int
    value: float | None
    threshold: float | None
    detail: str


def classified_as(
    content_class: str, images: ImageTable, settings: ClassifierSettings, where: np.ndarray, description: str
) -> Iterator[Reason]:
    """Reasons for the images in `where` that the classifier assigns to that class."""
    predictions = images.content_predictions
    probability = predictions.probability(content_class)
    for row in np.flatnonzero(where & (probability > settings.min_probability)).tolist():
        detail = f"{description}: {predictions.explain(row, content_class)}"
        yield Reason(row, probability[row], settings.min_probability, detail)


@dataclass(frozen=True)
class Rule:
    """A rule with its settings."""

    name: str
    phase: str
    settings: StrictModel
    function: Callable[[ImageTable, Any], Iterable[Reason]]

    def find(self, images: ImageTable) -> list[Reason]:
        """The reasons this rule finds, in order of image."""
        return sorted(self.function(images, self.settings), key=lambda reason: reason.row)


def rule_names() -> list[str]:
    """The names of all rules, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def load_rules(
    settings: Mapping[str, Mapping[str, Any] | Literal[False] | None], params_path: Path = DEFAULT_PATH
) -> list[Rule]:
    """All rules except those switched off in the settings, in the order they run.

    Raises UserError for an unknown rule or setting.
    """
    known = rule_names()
    for name in settings:
        if name not in known:
            raise UserError(
                f"'{params_path}': clean.rules: there is no rule '{name}'; the rules are {', '.join(known)}."
            )
    rules = [
        _load(name, settings.get(name) or {}, params_path)
        for name in known
        if settings.get(name) is not False
    ]
    return sorted(rules, key=lambda rule: PHASES.index(rule.phase))


def _load(name: str, settings: Mapping[str, Any], params_path: Path) -> Rule:
    module = importlib.import_module(f"{__name__}.{name}")
    key = f"clean.rules.{name}"
    checked = validate_section(params_path, {key: settings}, key, module.Settings)
    return Rule(name, getattr(module, "PHASE", PHASES[0]), checked, module.find)
