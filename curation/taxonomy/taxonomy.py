"""Resolve the stores' class names: `labels/taxonomy.toml` maps them to variety, species and region."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from curation.taxonomy import spelling
from curation.taxonomy.schema import Content, Meaning, load
from curation.taxonomy.spelling import normalise
from gemkit.errors import UserError

ProblemKind = Literal["unknown", "conflict"]

#: The taxonomy that comes with the package.
BUILT_IN = Path(__file__).with_name("taxonomy.toml")


@dataclass(frozen=True)
class Problem:
    """Why names resolve to no variety.

    `kind`: "unknown": none of the class names `names` stands for a variety; "conflict": they stand for the
    varieties whose display names are `names`, which exclude each other. `text` says so to people.
    """

    kind: ProblemKind
    names: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class Label:
    """The label that an image's names resolve to; `problem` says why `variety` is None.

    `species` is None where the name leaves it open, as 'Garnet' and 'Cat's Eye' do.
    """

    variety: str | None
    species: str | None = None
    region: str | None = None
    problem: Problem | None = None


class Taxonomy:
    """Names → varieties; `merged` varieties absorb all narrower ones."""

    def __init__(self, content: Content, merged: Collection[str] = ()):
        self.content = content
        self.varieties, self.species, self.groups = content.variety, content.species, content.group
        self._meanings = {normalise(meaning.name): meaning for meaning in content.names()}
        self._ignored = {normalise(name): reason for name, reason in content.ignored.items()}
        self._ancestors = {key: content.ancestors(key) for key in content.variety}
        self._with_narrower: dict[str, set[str]] = {key: {key} for key in content.variety}
        for key, broader in self._ancestors.items():
            for other in broader:
                self._with_narrower[other].add(key)
        self._merged = {key: self._merge_into(key, merged) for key in content.variety}

    def ancestors(self, key: str) -> list[str]:
        """The broader varieties, nearest first."""
        return self._ancestors[key]

    def meanings(self, name: str) -> list[Meaning]:
        """The varieties that a store's class name stands for, as a whole or part by part.

        Empty if the name, or any of its parts, is unknown: 'Ruby (Synthetic)' is not a ruby.
        """
        for names in ([name], spelling.parts(name)):
            found = [self._meaning(normalise(part)) for part in names]
            if found and None not in found:
                return [meaning for meaning in found if meaning is not None]
        return []

    def ignored(self, name: str) -> str | None:
        """The reason why a name stands for no variety, if the taxonomy gives one."""
        return self._ignored.get(normalise(name))

    def misspelt(self, name: str) -> Meaning | None:
        """The known name that an unknown one misspells. Only shown to people, never used for labels."""
        form = spelling.correct(normalise(name), self._meanings)
        return self._meanings[form] if form else None

    def nearest(self, name: str, count: int) -> list[Meaning]:
        """The known names with the spelling most similar to an unknown one."""
        return [self._meanings[form] for form in spelling.nearest(normalise(name), self._meanings, count)]

    def describe_unknown(self, name: str) -> str:
        """An unknown name, for people, with what the taxonomy or its spelling says about it."""
        if reason := self.ignored(name):
            return f"'{name}' ({reason})"
        if meaning := self.misspelt(name):
            return f"'{name}' (spelt like '{meaning.name}')"
        return f"'{name}'"

    def label(self, key: str, region: str | None = None) -> Label:
        """The label of the variety with this key."""
        key = self._merged[key]
        return Label(key, self.varieties[key].species, region)

    def resolve(self, names: Collection[str]) -> Label:
        """The variety that all names agree on; names that stand for no variety (a sale) are ignored.

        'Opal' and 'Fire Opal' agree on the narrower one, 'Moonstone' and 'Cat's Eye' on the cat's eye
        moonstone, 'Emerald' and 'Colombian Emerald' on one from Colombia; 'Ruby' and 'Spinel' conflict.
        """
        meanings = [meaning for name in names for meaning in self.meanings(name)]
        if not meanings:
            return Label(None, problem=self._unknown_names(names))
        found = {self._merged[meaning.variety] for meaning in meanings}
        shared = set.intersection(*(self._with_narrower[key] for key in found))
        broadest = [key for key in shared if shared.isdisjoint(self._ancestors[key])]
        if len(broadest) != 1:
            return Label(None, problem=self._conflict(found))
        regions = {meaning.region for meaning in meanings if meaning.region}
        return self.label(broadest[0], regions.pop() if len(regions) == 1 else None)

    def _meaning(self, form: str) -> Meaning | None:
        return self._meanings.get(form) or self._meanings.get(spelling.without_empty_words(form))

    def _unknown_names(self, names: Collection[str]) -> Problem:
        listed = ", ".join(self.describe_unknown(name) for name in sorted(names)) or "none given"
        return Problem("unknown", tuple(sorted(names)), f"no class name stands for a variety: {listed}")

    def _conflict(self, found: set[str]) -> Problem:
        specific = found.difference(*(self._ancestors[key] for key in found))
        names = tuple(self.varieties[key].name for key in sorted(specific))
        return Problem("conflict", names, f"conflict: {', '.join(names)}")

    def _merge_into(self, key: str, merged: Collection[str]) -> str:
        """The broadest merged variety that contains this one, or the variety itself."""
        above = {other for other in (key, *self._ancestors[key]) if other in merged}
        broadest = sorted(other for other in above if above.isdisjoint(self._ancestors[other]))
        if len(broadest) > 1:
            raise UserError(
                f"clean.merge: '{broadest[0]}' and '{broadest[1]}' both contain '{key}'; merge only one."
            )
        return broadest[0] if broadest else key


def read_taxonomy(path: Path, merged: Collection[str] = ()) -> Taxonomy:
    """Read and validate the file. Raises UserError with the first problem."""
    content, findings = load(path)
    if content is None or findings:
        raise UserError(f"'{path}': {findings[0]}")
    for key in merged:
        if key not in content.variety:
            raise UserError(f"clean.merge: there is no variety '{key}' in '{path}'.")
    return Taxonomy(content, merged)


def check_taxonomy(path: Path) -> list[str]:
    """One sentence for each problem in the file."""
    return load(path)[1]
