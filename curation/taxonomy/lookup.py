"""Look up a name in the taxonomy, for people: by name, by synonym, part by part, or with fuzzy matching."""

from pathlib import Path

from curation.taxonomy.taxonomy import read_taxonomy
from gemkit.errors import UserError


def look_up(name: str, path: Path) -> dict[str, str]:
    """Variety, species, group, region and properties of a store's class name, and how it was resolved.

    Raises UserError for an unknown name, naming the nearest three, and for one of no or several varieties.
    """
    taxonomy = read_taxonomy(path)
    content, meanings, how = taxonomy.content, taxonomy.meanings(name), ""
    if not meanings and (reason := taxonomy.ignored(name)):
        raise UserError(f"'{name}' stands for no variety: {reason}.")
    if not meanings and (meaning := taxonomy.misspelt(name)):
        meanings, how = [meaning], "spelling of "
    if not meanings:
        nearest = ", ".join(f"'{meaning.name}'" for meaning in taxonomy.nearest(name, 3))
        raise UserError(f"'{name}' is not in '{path}'; the nearest names are {nearest}.")
    label = taxonomy.resolve([meaning.name for meaning in meanings])
    if label.variety is None:
        names = ", ".join(label.problem.names) if label.problem else ""
        raise UserError(f"'{name}' stands for several varieties: {names}.")
    properties, group = content.properties(label.variety), content.group_of(label.variety)
    broader = [content.variety[key].name for key in taxonomy.ancestors(label.variety)]
    return {
        "variety": f"{content.variety[label.variety].name} ({label.variety})",
        "broader": ", ".join(broader) or "-",
        "species": content.species[label.species].name if label.species else "left open by the name",
        "group": content.group[group] if group else "left open by the name",
        "region": label.region or "-",
        "Mohs hardness": _span(properties.mohs or ()),
        "refractive index": _span(properties.refractive_index or ()),
        "colours": ", ".join(properties.colours or ()),
        "resolved by": how + ", ".join(f"'{meaning.name}' ({meaning.kind})" for meaning in meanings),
    }


def _span(span: tuple[float, ...]) -> str:
    """Lowest to highest; the refractive index of an opaque material is empty."""
    if not span:
        return "none, opaque"
    return f"{span[0]:g}" if span[0] == span[1] else f"{span[0]:g} to {span[1]:g}"
