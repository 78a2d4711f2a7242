"""All rules of `clean.rules` with their settings: on one image, on duplicates, and on labels."""

import importlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from curation.cleaning import exact_duplicate, label, near_duplicate, rules
from curation.cleaning.duplicates import Comparison
from curation.cleaning.rules import Rule
from gemkit.errors import UserError
from gemkit.strict_model import StrictModel
from gemkit.validation import validate

#: The rules that compare images, in the order they run.
_COMPARISONS: dict[str, ModuleType] = {"exact_duplicate": exact_duplicate, "near_duplicate": near_duplicate}
LABEL = "label"


@dataclass(frozen=True)
class RuleSet:
    """The rules that run. The rule on labels always does; it has no settings."""

    on_images: tuple[Rule, ...]
    on_duplicates: tuple[Comparison, ...]

    def settings(self) -> dict[str, StrictModel]:
        """The settings of each rule that runs, by its name."""
        return {
            **{rule.name: rule.settings for rule in self.on_images},
            **{rule.name: rule.settings for rule in self.on_duplicates},
            LABEL: label.Settings(),
        }


def rule_names() -> list[str]:
    """The names of all rules, sorted."""
    return sorted([*rules.rule_names(), *_COMPARISONS, LABEL])


def meaning(name: str) -> str:
    """The first paragraph of the rule's docstring, with quotes around code instead of backticks."""
    documentation = inspect.getdoc(_module(name)) or ""
    return " ".join(documentation.split("\n\n")[0].split()).replace("`", "'")


def drops_below(name: str, measurement: str) -> bool:
    """Whether the rule drops images with a value of the measurement below its threshold, not above."""
    return measurement in getattr(_module(name), "DROPS_BELOW", ())


def compares_images(name: str) -> bool:
    """Whether the rule looks for copies, so that another image is kept instead of a dropped one."""
    return name in _COMPARISONS


def load_rules(
    settings: Mapping[str, Mapping[str, Any] | Literal[False] | None],
    source: Path | str = "CleanParams",
    key: str = "rules",
) -> RuleSet:
    """All rules except those switched off in the settings, which are `key` of the `source`.

    Raises UserError for an unknown rule or setting, and if the rule on labels is switched off.
    """
    known = rule_names()
    for name in settings:
        if name not in known:
            raise UserError(
                f"'{source}': {key}: there is no rule '{name}'; the rules are {', '.join(known)}."
            )
    if settings.get(LABEL) is False:
        raise UserError(f"'{source}': '{key}.{LABEL}' cannot be false: every image needs a variety.")
    checked = {
        name: validate(_settings_class(name), settings.get(name) or {}, source, f"{key}.{name}")
        for name in known
        if settings.get(name) is not False
    }
    return RuleSet(
        tuple(
            Rule(name, checked[name], _module(name).find) for name in rules.rule_names() if name in checked
        ),
        tuple(
            Comparison(name, checked[name], _module(name).find) for name in _COMPARISONS if name in checked
        ),
    )


def _settings_class(name: str) -> type[StrictModel]:
    settings: type[StrictModel] = _module(name).Settings
    return settings


def _module(name: str) -> ModuleType:
    if name == LABEL:
        return label
    return _COMPARISONS.get(name) or importlib.import_module(f"{rules.__name__}.{name}")
