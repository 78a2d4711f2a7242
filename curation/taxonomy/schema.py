"""The schema of `labels/taxonomy.toml` and its validation."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import BeforeValidator, Field, StringConstraints, ValidationError

from curation.taxonomy.spelling import normalise
from gemkit.errors import UserError
from gemkit.strict_model import StrictModel
from gemkit.validation import problems

MOHS = (1.0, 10.0)
REFRACTIVE_INDEX = (1.2, 3.0)

Colour = Literal[
    "colourless", "white", "grey", "black", "brown", "red", "orange", "yellow", "green", "blue", "violet",
    "purple", "pink", "multicoloured",
]  # fmt: skip
Key = Annotated[str, StringConstraints(pattern="^[a-z][a-z0-9_]*$")]
Text = Annotated[str, StringConstraints(min_length=1)]
Span = tuple[float, ...]


class Synonym(StrictModel):
    """Another name of a variety; `language` where it is neither English nor a trade name."""

    name: Text
    language: Text | None = None


class Species(StrictModel):
    """The mineral or material of a stone; `refractive_index` is empty for an opaque material."""

    name: Text
    group: Key
    mohs: Span
    refractive_index: Span
    colours: Annotated[tuple[Colour, ...], Field(min_length=1)]


class Variety(StrictModel):
    """The stones that stores sell under one name. Missing properties come from its parents and its species.

    A variety whose name leaves the species open has a `group` instead, or neither ('Jade'). `parents` are the
    broader varieties, `regions` the names that also state the origin.
    """

    name: Text
    species: Key | None = None
    group: Key | None = None
    parents: tuple[Key, ...] = ()
    colours: tuple[Colour, ...] = ()
    mohs: Span | None = None
    refractive_index: Span | None = None
    synonyms: tuple[
        Annotated[Synonym, BeforeValidator(lambda x: {"name": x} if isinstance(x, str) else x)], ...
    ] = ()
    regions: dict[Text, Text] = Field(default_factory=dict)


class Meaning(NamedTuple):
    """The meaning of a name: a variety by its key, and a region if the name states one; `kind` of name."""

    name: str
    variety: str
    region: str | None
    kind: str


class Content(StrictModel):
    """The whole file. `group`: key → name; `ignored`: name → reason why it stands for no variety."""

    group: dict[Key, Text]
    species: dict[Key, Species]
    variety: dict[Key, Variety]
    ignored: dict[Text, Text] = Field(default_factory=dict)

    def names(self) -> Iterator[Meaning]:
        """Every name in the file that stands for a variety."""
        for key, variety in self.variety.items():
            yield Meaning(variety.name, key, variety.regions.get(variety.name), "name")
            for synonym in variety.synonyms:
                kind = f"synonym, {synonym.language}" if synonym.language else "synonym"
                yield Meaning(synonym.name, key, None, kind)
            for name, region in variety.regions.items():
                if name != variety.name:
                    yield Meaning(name, key, region, "synonym that states the region")

    def ancestors(self, key: str) -> list[str]:
        """The broader varieties, nearest first; terminates even if the parents form a cycle."""
        found = list(self.variety[key].parents)
        for parent in found:
            found += [other for other in self.variety[parent].parents if other not in found]
        return found

    def group_of(self, key: str) -> str | None:
        """The group of a variety: its species', or its own if it has no species."""
        variety = self.variety[key]
        return self.species[variety.species].group if variety.species else variety.group

    def properties(self, key: str) -> "Properties":
        """A variety's own properties, else those of broader varieties of its species, else the species'."""
        variety = self.variety[key]
        broader = (self.variety[parent] for parent in self.ancestors(key))
        sources: list[Variety | Species] = [
            variety, *(other for other in broader if other.species == variety.species)
        ]  # fmt: skip
        if variety.species:
            sources.append(self.species[variety.species])
        return Properties(
            next((source.mohs for source in sources if source.mohs is not None), None),
            next(
                (source.refractive_index for source in sources if source.refractive_index is not None), None
            ),
            next((source.colours for source in sources if source.colours), None),
        )


class Properties(NamedTuple):
    """Mohs hardness and refractive index (lowest and highest; empty if opaque), typical colours."""

    mohs: Span | None
    refractive_index: Span | None
    colours: tuple[Colour, ...] | None


def load(path: Path) -> tuple[Content | None, list[str]]:
    """The content of the file, None if it is invalid, and one sentence for each problem."""
    try:
        with path.open("rb") as file:
            values = tomllib.load(file)
        content = Content.model_validate(values)
    except FileNotFoundError:
        raise UserError(f"'{path}' does not exist; name the file in params.yaml at clean.taxonomy.") from None
    except OSError as error:
        raise UserError(f"'{path}' cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        return None, [f"it is not valid TOML: {error}."]
    except ValidationError as error:
        return None, [f"{problem}." for problem in problems(error, Content, values)]
    unknown = list(_unknown_keys(content))
    return content, unknown or [*_numbers(content), *_names(content), *_relations(content)]


def _unknown_keys(content: Content) -> Iterator[str]:
    for key, species in content.species.items():
        if species.group not in content.group:
            yield f"species.{key}: there is no group '{species.group}'."
    for key, variety in content.variety.items():
        for kind, known in (("species", content.species), ("group", content.group)):
            named = getattr(variety, kind)
            if named is not None and named not in known:
                yield f"variety.{key}: there is no {kind} '{named}'."
        for parent in variety.parents:
            if parent not in content.variety:
                yield f"variety.{key}: there is no parent variety '{parent}'."


def _numbers(content: Content) -> Iterator[str]:
    entries: list[tuple[str, Species | Variety]] = [
        *((f"species.{key}", species) for key, species in content.species.items()),
        *((f"variety.{key}", variety) for key, variety in content.variety.items()),
    ]
    for where, entry in entries:
        if entry.mohs is not None and not _within(entry.mohs, *MOHS):
            yield f"{where}: mohs must be [lowest, highest] between 1 and 10."
        if entry.refractive_index and not _within(entry.refractive_index, *REFRACTIVE_INDEX):
            yield f"{where}: refractive_index must be [lowest, highest] between 1.2 and 3, or empty."
    for key in content.variety:
        for field, value in content.properties(key)._asdict().items():
            if value is None:
                yield f"variety.{key}: {field} is missing, and neither its parents nor its species have it."


def _within(span: Span, lowest: float, highest: float) -> bool:
    return len(span) == 2 and lowest <= span[0] <= span[1] <= highest


def _names(content: Content) -> Iterator[str]:
    owners: dict[str, Meaning] = {}
    for meaning in content.names():
        form = normalise(meaning.name)
        if not form:
            yield f"variety.{meaning.variety}: the name '{meaning.name}' has no letters."
            continue
        other = owners.setdefault(form, meaning)
        if other.variety != meaning.variety:
            yield (
                f"variety.{meaning.variety}: the name '{meaning.name}' also stands for "
                f"variety.{other.variety} ('{other.name}')."
            )
        elif other is not meaning:
            yield f"variety.{meaning.variety}: '{meaning.name}' and '{other.name}' are the same name."
    for name in content.ignored:
        if (form := normalise(name)) in owners:
            yield f"ignored: the name '{name}' also stands for variety.{owners[form].variety}."


def _relations(content: Content) -> Iterator[str]:
    for key, variety in content.variety.items():
        if variety.species and variety.group:
            yield f"variety.{key}: its species determines the group; leave the group out."
        for parent in variety.parents:
            broader = content.variety[parent]
            if broader.species and broader.species != variety.species:
                yield f"variety.{key}: its parent '{parent}' is of another species."
            elif broader.group and broader.group != content.group_of(key):
                yield f"variety.{key}: its parent '{parent}' is of another group."
        if key in content.ancestors(key):
            yield f"variety.{key}: its parents form a cycle."
    parents = {parent for variety in content.variety.values() for parent in variety.parents}
    for key, variety in content.variety.items():
        if not (variety.species or variety.group or key in parents):
            yield f"variety.{key}: it has no species, no group and no narrower varieties."
    used = {variety.species for variety in content.variety.values()}
    yield from (f"species.{key}: no variety belongs to it." for key in content.species if key not in used)
    groups = {species.group for species in content.species.values()}
    groups.update(variety.group for variety in content.variety.values() if variety.group)
    yield from (f"group.{key}: no species is in it." for key in content.group if key not in groups)
