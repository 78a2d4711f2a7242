"""The section `clean` of `params.yaml`."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from curation.params import read_section
from gemkit.strict_model import StrictModel


class CleanParams(StrictModel):
    """`merge` names varieties that absorb all narrower ones (sapphire: blue, pink and yellow sapphire).

    `rules` maps a rule's name to its settings, or to false to switch it off; `curation.cleaning.rules`
    validates both.
    """

    taxonomy: Path = Path("labels/taxonomy.toml")
    decisions: Path = Path("labels/decisions.csv")
    merge: tuple[str, ...] = ()
    rules: dict[str, dict[str, Any] | Literal[False] | None] = Field(default_factory=dict)


def read_clean(path: Path) -> CleanParams:
    """The section `clean`. Raises UserError for an unknown key or a wrong value."""
    return read_section(path, "clean", CleanParams)
