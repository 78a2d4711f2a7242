"""Validate parsed files with pydantic; the first problem becomes one clear sentence."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from gemkit.errors import UserError
from gemkit.strict_model import RENAMED

Model = TypeVar("Model", bound=BaseModel)

#: By pydantic's type of error: a value must be this.
_EXPECTED = {
    "bool_type": "true or false",
    "dict_type": "a mapping of keys to values",
    "finite_number": "a finite number",
    "float_type": "a number",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "int_type": "an integer",
    "less_than": "below {lt}",
    "less_than_equal": "at most {le}",
    "list_type": "a list",
    "literal_error": "{expected}",
    "model_type": "a mapping of keys to values",
    "string_type": "a string",
    "tuple_type": "a list",
}


def validate(model: type[Model], values: object, source: Path | str, key: str = "") -> Model:
    """The values of a file, or of its key `key`, as a model. Raises UserError that names file and key."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise UserError(f"'{source}': {_sentence(model, error.errors()[0], key)}.") from None


def _sentence(model: type[BaseModel], problem: Mapping[str, Any], key: str) -> str:
    kind, context = problem["type"], problem.get("ctx", {})
    where = _joined(key, problem["loc"])
    if kind == "extra_forbidden":
        keys = ", ".join(_model_at(model, problem["loc"]).model_fields)
        return f"unknown key '{where}'; " + (f"the keys are {keys}" if keys else "remove it")
    if kind == "missing":
        return f"the key '{where}' is missing"
    if kind == RENAMED:
        verb = "move" if "." in context["new"] else "rename"
        return f"{f'in {where!r} ' if where else ''}{problem['msg']}; {verb} the key"
    if kind == "value_error":
        return f"{f'{where!r}: ' if where else ''}{context['error']}"
    found = f"(found {problem['input']!r})"
    if kind in _EXPECTED:
        return f"'{where}' must be {_EXPECTED[kind].format(**context)} {found}"
    return f"'{where}': {problem['msg']} {found}"


def _joined(key: str, location: Sequence[int | str]) -> str:
    """The path of a key, such as stages[0].epochs."""
    path = key
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif "[" not in part:  # pydantic names the members of a union by their type, as in dict[str,any]
            path += f".{part}" if path else part
    return path


def _model_at(model: type[BaseModel], location: Sequence[int | str]) -> type[BaseModel]:
    """The model at a place inside a model; parts that are indices or keys of mappings are passed over."""
    for part in location:
        if part in model.model_fields:
            model = _inner_model(model.model_fields[part].annotation) or model
    return model


def _inner_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_inner_model(argument) for argument in get_args(annotation))
    return next((model for model in found if model is not None), None)
