"""The section `clean` of `params.yaml`."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from curation.cleaning.rule_set import load_rules
from curation.params import read_section
from curation.taxonomy.taxonomy import BUILT_IN
from gemkit.project import Project
from gemkit.strict_model import StrictModel


class CleanParams(StrictModel):
    """`taxonomy`: by default the project's labels/taxonomy.toml, or the one that comes with the package;
    `decisions`: a person's on single images, by default labels/decisions.csv if the project has it. Paths are
    relative to the project's folder.

    `merge` names varieties that absorb all narrower ones (sapphire: blue, pink and yellow sapphire). `rules`
    maps a rule's name to its settings, or to False to switch it off; other rules run with their defaults.
    """

    taxonomy: Path | None = None
    decisions: Path | None = None
    merge: tuple[str, ...] = ()
    rules: dict[str, dict[str, Any] | Literal[False] | None] = Field(default_factory=dict)

    def taxonomy_file(self, project: Project) -> Path:
        """The taxonomy of a project."""
        if self.taxonomy:
            return project.path(self.taxonomy)
        own = project.labels / "taxonomy.toml"
        return own if own.is_file() else BUILT_IN

    def decisions_file(self, project: Project) -> Path | None:
        """The file of a project's decisions, None if there are none."""
        if self.decisions:
            return project.path(self.decisions)
        own = project.labels / "decisions.csv"
        return own if own.is_file() else None


def read_clean(path: Path) -> CleanParams:
    """The section `clean`. Raises UserError for an unknown key or rule or a wrong value."""
    settings = read_section(path, "clean", CleanParams)
    load_rules(settings.rules, path, "clean.rules")
    return settings
