"""`gemtrain recipes`: the recipes, and the keys that a recipe may have."""

import json
import textwrap
from collections.abc import Iterator
from typing import Any

from gemtrain.recipe import Recipe, load_recipe, recipe_names

_WIDTH = 79
_BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "below {}",
}


def recipe_lines() -> list[str]:
    """The description, source and published result of all recipes, sorted by name."""
    lines = []
    for name in recipe_names():
        recipe = load_recipe(name)
        lines.append(f"{name}: {recipe.description} ({recipe.network} at {recipe.image_size} px)")
        for key, value in (("source", recipe.source), ("published", recipe.published)):
            if value:
                lines.append(f"    {key}: {value}")
    return lines


def explain_keys() -> Iterator[str]:
    """Every key of a recipe with its type, default and description, in lines of at most 79 characters."""
    schema = Recipe.model_json_schema()
    yield "The keys of a recipe, gemtrain/recipes/<recipe>.toml. Single values can be"
    yield "overridden in params.yaml under train.recipes.<recipe>."
    yield from _explained(schema)
    for name, title in (("Stage", "[[stages]]"), ("Augmentation", "[augmentation]")):
        table = schema["$defs"][name]
        yield from ("", title, *textwrap.wrap(table["description"], _WIDTH))
        yield from _explained(table)


def _explained(table: dict[str, Any]) -> Iterator[str]:
    for key, field in table["properties"].items():
        use = "required" if key in table.get("required", ()) else _default(field)
        yield ""
        yield from textwrap.wrap(f"{key}: {_type(field)}, {use}", _WIDTH)
        yield from textwrap.wrap(
            field["description"], _WIDTH, initial_indent="    ", subsequent_indent="    "
        )


def _type(field: dict[str, Any]) -> str:
    """A JSON schema in words, such as "integer, at least 8"; null is left out, as TOML cannot write it."""
    if "anyOf" in field:
        return _type(field["anyOf"][0])
    if "enum" in field:
        *most, last = map(json.dumps, field["enum"])
        return f"{', '.join(most)} or {last}"
    if "$ref" in field:
        return "table"
    kind = f"list of {_type(field['items'])}s" if field["type"] == "array" else field["type"]
    return ", ".join([kind, *(words.format(field[key]) for key, words in _BOUNDS.items() if key in field)])


def _default(field: dict[str, Any]) -> str:
    value = field.get("default")
    is_empty = value in (None, "", []) or isinstance(value, dict)
    return "optional" if is_empty else f"default {json.dumps(value)}"
