"""Validate parsed files with pydantic; each problem becomes one clear sentence."""

from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, NamedTuple, get_args, get_type_hints

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from gemkit.errors import UserError
from gemkit.strict_model import RENAMED, Model

#: By pydantic's type of error: a value must be this.
_EXPECTED = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "dataclass_type": "a mapping of keys to values",
    "dict_type": "a mapping of keys to values",
    "finite_number": "a finite number",
    "float_parsing": "a number",
    "float_type": "a number",
    "int_from_float": "an integer",
    "int_parsing": "an integer",
    "int_type": "an integer",
    "list_type": "a list",
    "literal_error": "{expected}",
    "model_type": "a mapping of keys to values",
    "named_tuple_type": "a list",
    "string_type": "a string",
    "too_long": "a list of at most {max_length} values",
    "tuple_type": "a list",
}
#: The bounds of a number by their names in pydantic; a field has at most one lower and one upper bound.
_BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "below"}

#: Pydantic's last part of the location of a problem with a key, not with its value.
_OF_THE_KEY = "[key]"
_MAX_CHARACTERS = 200


def validate(
    model: type[Model],
    values: object,
    source: Path | str,
    key: str = "",
    context: dict[str, object] | None = None,
    remedy: str = "",
) -> Model:
    """The values of a file, or of its key `key`, as a model; `context` is what its validators need to know.

    Raises UserError that names the file and the first wrong key, and says the `remedy`.
    """
    try:
        return model.model_validate(values, context=context)
    except ValidationError as error:
        problem = problems(error, model, values, key)[0]
        raise UserError(f"'{source}': {problem}{f'; {remedy}' if remedy else ''}.") from None


def problems(error: ValidationError, model: type, values: object, key: str = "") -> list[str]:
    """Everything that is wrong with the values of a model or dataclass, one clause for each problem."""
    return [_clause(problem, _place(problem, model, values, key)) for problem in error.errors()]


class _Place(NamedTuple):
    """A key as its file writes it, the models that may be at it, and its field if it has one."""

    key: str
    models: list[type]
    field: FieldInfo | None


def _clause(problem: Mapping[str, Any], place: _Place) -> str:
    kind, context, where = problem["type"], problem.get("ctx", {}), place.key
    if kind in ("extra_forbidden", "invalid_key"):
        return f"unknown key '{where}'; {_known_keys(place.models)}"
    if kind == "missing":
        return f"the key '{where}' is missing"
    if kind == RENAMED:
        verb = "move" if "." in context["new"] else "rename"
        return f"{f'in {where!r} ' if where else ''}{problem['msg']}; {verb} the key"
    found = f" (found {_shown(problem['input'])})"
    if kind in _EXPECTED:
        subject = f"'{where}'" if where else "the content"
        if problem["loc"][-1:] == (_OF_THE_KEY,):
            subject = f"the key {subject}"
        return f"{subject} must be {_EXPECTED[kind].format(**context)}{found}"
    if bounds := context.keys() & _BOUNDS.keys():
        return f"'{where}' must be {_range(place.field, {name: context[name] for name in bounds})}{found}"
    if kind == "union_tag_invalid":
        tags = f"{context['expected_tags']} (found {context['tag']!r:.{_MAX_CHARACTERS}})"
        return f"'{where}': {context['discriminator']} must be one of {tags}"
    if isinstance(problem["input"], Mapping | list | tuple):
        found = ""
    message = context["error"] if kind == "value_error" else problem["msg"]
    return f"{f'{where!r}: ' if where else ''}{message}{found}"


def _known_keys(models: Sequence[type]) -> str:
    if len(models) != 1:
        return "remove it or correct its spelling"
    keys = ", ".join(_fields(models[0]))
    return f"the keys are {keys}" if keys else "remove it"


def _range(field: FieldInfo | None, crossed: Mapping[str, float]) -> str:
    """Both bounds of a field; of the numbers in a list or a mapping, only the bound that was crossed."""
    found = [
        {name: getattr(constraint, name) for name in _BOUNDS if hasattr(constraint, name)}
        for constraint in (field.metadata if field else ())
    ]
    bounds = {name: value for constraint in found for name, value in constraint.items()}
    if not crossed.items() <= bounds.items():
        bounds = dict(crossed)
    return " and ".join(f"{words} {bounds[name]:.15g}" for name, words in _BOUNDS.items() if name in bounds)


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    text = repr(value)
    return text if len(text) <= _MAX_CHARACTERS else f"{text[:_MAX_CHARACTERS]}…"


def _place(problem: Mapping[str, Any], model: type, values: object, key: str) -> _Place:
    """Follow the location through the values: between the keys, pydantic names the members of unions."""
    path, models, field = key, [model], None
    for part in problem["loc"]:
        owner = next((model for model in models if part in _fields(model)), None)
        if owner:
            field = _fields(owner)[part]
            models = _models(field.annotation) or models
        if isinstance(values, list | tuple) and isinstance(part, int) and part < len(values):
            path, values = f"{path}[{part}]", values[part]
        elif isinstance(values, Mapping) and (written := [key for key in values if part in (key, repr(key))]):
            path, values = _joined(path, written[0]), values[written[0]]
    if problem["type"] == "missing":
        last = problem["loc"][-1]
        path = f"{path}[{last}]" if isinstance(last, int) else _joined(path, last)
    return _Place(path, models, field)


def _joined(path: str, key: object) -> str:
    name = key if isinstance(key, str) and key.isprintable() else repr(key).strip("'")
    return f"{path}.{name}" if path else name


def _fields(model: type) -> Mapping[str, FieldInfo]:
    """The fields of a model or dataclass by name."""
    if issubclass(model, BaseModel):
        return model.model_fields
    return {name: FieldInfo.from_annotation(kind) for name, kind in get_type_hints(model).items()}


def _models(annotation: Any) -> list[type]:
    """The models and dataclasses inside a type, such as those of a list or a union."""
    if isinstance(annotation, type) and (issubclass(annotation, BaseModel) or is_dataclass(annotation)):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models(argument)]
