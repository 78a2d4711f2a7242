"""Cleaning rules, one module each, found by themselves: a new file here is a new rule.

A rule module `<name>.py` holds

- `Settings`, a `StrictModel` with the thresholds and their defaults (params.yaml, clean.rules.<name>),
- `find(images, settings)`, which looks at all images at once and yields a `Reason` for each that it drops,
- `PHASE`, where it is not "image": rules on each image alone run first; then "copies", which compare the
  images that are left; then "labels", which read what the class names of an image and its copies came to.

Every rule runs, with its defaults where params.yaml says nothing; `<name>: false` there switches one off.
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from pydantic import Field

from curation.cleaning.image_table import Inventory
from gemkit.errors import UserError
from gemkit.params import DEFAULT_PATH, validate_section
from gemkit.strict_model import StrictModel

PHASES = ("image", "copies", "labels")


class KindSettings(StrictModel):
    """Of a rule on what a picture shows (`curation/cleaning/content_classifier.py`): `likeness` is enough
    alone; below `doubt` the rule's own signs are not believed."""

    likeness: Annotated[float, Field(ge=0, le=1)] = 0.5
    doubt: Annotated[float, Field(ge=0, le=1)] = 0.1


class Reason(NamedTuple):
    """Why the image at index `row` is dropped: the value seen, the threshold crossed, words for a person."""

    row: int
    value: float | None
    threshold: float | None
    detail: str


def alike(
    images: Inventory, kind: str, settings: KindSettings, where: np.ndarray, words: str
) -> Iterator[Reason]:
    """Reasons for the images, of those `where` says, that look like that kind."""
    share = images.kinds.share(kind)
    for row in np.flatnonzero(where & (share > settings.likeness)).tolist():
        yield Reason(row, share[row], settings.likeness, f"{words}: {images.kinds.why(row, kind)}")


@dataclass(frozen=True)
class Rule:
    """A rule with its settings."""

    name: str
    phase: str
    settings: StrictModel
    function: Callable[[Inventory, Any], Iterable[Reason]]

    def find(self, images: Inventory) -> list[Reason]:
        """The reasons this rule finds, in order of image."""
        return sorted(self.function(images, self.settings), key=lambda reason: reason.row)


def rule_names() -> list[str]:
    """The rules there are."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def load_rules(
    settings: Mapping[str, Mapping[str, Any] | Literal[False] | None], params_path: Path = DEFAULT_PATH
) -> list[Rule]:
    """All rules but those that the settings switch off, in the order they run.

    Raises UserError for a rule or a setting that there is not.
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
