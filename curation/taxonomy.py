"""What the stores' class names mean: `labels/taxonomy.toml` maps them to variety, species and region."""

import re
import tomllib
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gemkit.errors import UserError


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Synonym(_Entry):
    """Another name of a variety; `language` where it is not of the trade's English."""

    name: str
    language: str | None = None


_Range = Annotated[tuple[float, float], Field(description="lowest, highest")]


class Species(_Entry):
    name: str
    mohs: _Range | None = None
    refractive_index: _Range | None = None


class Variety(_Entry):
    """`parent` is the broader variety; `regions` maps names that tell the origin to it."""

    name: str
    species: str
    parent: str | None = None
    synonyms: tuple[Synonym | str, ...] = ()
    regions: dict[str, str] = {}

    def names(self) -> Iterator[str]:
        """Every name that stands for this variety."""
        yield self.name
        yield from (entry if isinstance(entry, str) else entry.name for entry in self.synonyms)
        yield from self.regions


@dataclass(frozen=True)
class Label:
    """What the names of an image come to; `problem` says why `variety` is None."""

    variety: str | None
    species: str | None = None
    region: str | None = None
    problem: str | None = None


class _File(_Entry):
    species: dict[str, Species]
    variety: dict[str, Variety]


class Taxonomy:
    """Names → varieties; `merged` varieties take in all that are narrower."""

    def __init__(
        self, species: dict[str, Species], varieties: dict[str, Variety], merged: Collection[str] = ()
    ):
        self.species, self.varieties = species, varieties
        self._merged = frozenset(merged)
        self._keys = {normalise(name): key for key, variety in varieties.items() for name in variety.names()}
        self._regions = {
            normalise(name): region
            for variety in varieties.values()
            for name, region in variety.regions.items()
        }

    def find(self, name: str) -> str | None:
        """The key of the variety that a store's class name stands for."""
        return next((self._keys[form] for form in _forms(name) if form in self._keys), None)

    def ancestors(self, key: str) -> list[str]:
        """The broader varieties, nearest first."""
        found = []
        parent = self.varieties[key].parent
        while parent is not None:
            found.append(parent)
            parent = self.varieties[parent].parent
        return found

    def label(self, key: str) -> Label:
        """The label of a variety by its key."""
        return self._label(key, None)

    def resolve(self, names: Collection[str]) -> Label:
        """The most specific variety that all names agree on; names of no variety (a sale) don't count."""
        known = {name: key for name in sorted(names) if (key := self.find(name)) is not None}
        if not known:
            listed = ", ".join(f"'{name}'" for name in sorted(names)) or "none given"
            return Label(None, problem=f"no class name is in the taxonomy: {listed}")
        found = {self._merge(key) for key in known.values()}
        specific = found - {broader for key in found for broader in self.ancestors(key)}
        if len(specific) > 1:
            listed = ", ".join(self.varieties[key].name for key in sorted(specific))
            return Label(None, problem=f"conflict: {listed}")
        regions = {region for name in known for form in _forms(name) if (region := self._regions.get(form))}
        return self._label(specific.pop(), regions.pop() if len(regions) == 1 else None)

    def _label(self, key: str, region: str | None) -> Label:
        key = self._merge(key)
        return Label(key, self.varieties[key].species, region)

    def _merge(self, key: str) -> str:
        """The broadest merged variety above, or the variety itself."""
        return next((broader for broader in reversed(self.ancestors(key)) if broader in self._merged), key)


def normalise(name: str) -> str:
    """The form in which names are compared: no case, accents or punctuation, single spaces."""
    letters = unicodedata.normalize("NFKD", name.casefold())
    letters = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return " ".join(re.sub(r"['’`]", "", letters).translate(_TO_SPACE).split())


_TO_SPACE = {ord(mark): " " for mark in "-_.,:;/&+|"}


def _forms(name: str) -> Iterator[str]:
    """What to look up: the name, and the parts of 'Hessonite (Gomed)', 'Sapphire - Pukhraj' and 'A/B'."""
    yield normalise(name)
    for part in re.split(r"[()/|]|\s[-–]\s", name):
        yield normalise(part)


def read_taxonomy(path: Path, merged: Collection[str] = ()) -> Taxonomy:
    """Read and check the file. Raises UserError with the first problem in one sentence."""
    try:
        with path.open("rb") as file:
            content = _File.model_validate(tomllib.load(file))
    except FileNotFoundError:
        raise UserError(f"'{path}' does not exist; name the file in params.yaml at clean.taxonomy.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"'{path}' is not valid TOML: {error}.") from None
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise UserError(f"'{path}': '{where}': {problem['msg']}.") from None
    for sentence in _problems(content):
        raise UserError(f"'{path}': {sentence}.")
    for key in merged:
        if key not in content.variety:
            raise UserError(f"clean.merge: there is no variety '{key}' in '{path}'.")
    return Taxonomy(content.species, content.variety, merged)


def _problems(content: _File) -> Iterator[str]:
    for key, species in content.species.items():
        for field in ("mohs", "refractive_index"):
            span = getattr(species, field)
            if span and span[0] > span[1]:
                yield f"species.{key}: {field} must be [lowest, highest]"
    owners: dict[str, str] = {}
    for key, variety in content.variety.items():
        if variety.species not in content.species:
            yield f"variety.{key}: there is no species '{variety.species}'"
        if variety.parent is not None and variety.parent not in content.variety:
            yield f"variety.{key}: there is no parent variety '{variety.parent}'"
        elif variety.parent is not None and content.variety[variety.parent].species != variety.species:
            yield f"variety.{key}: its parent '{variety.parent}' is of another species"
        for name in variety.names():
            owner = owners.setdefault(normalise(name), key)
            if owner != key:
                yield f"variety.{key}: the name '{name}' also stands for variety.{owner}"
    for key in content.variety:
        seen, current = {key}, content.variety[key].parent
        while current is not None:
            if current in seen:
                yield f"variety.{key}: its parents form a circle"
                break
            seen.add(current)
            current = content.variety[current].parent
