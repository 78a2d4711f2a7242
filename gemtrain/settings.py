"""Turn plain mappings (TOML, YAML) into checked dataclasses; the first problem is one clear sentence."""

import dataclasses
import types
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from gemkit.errors import UserError

Settings = TypeVar("Settings")


def from_mapping(kind: type[Settings], values: object, source: str, path: str = "") -> Settings:
    """Make a dataclass from a mapping.

    Its fields may be int, float, str, bool, a Literal, one of them or None, another dataclass, or a tuple of
    any of these; a ValueError of its `__post_init__` is reported like a wrong type. A class attribute
    `renamed_keys` maps the former name of a key to its present one, which the error for the former name
    states. Raises UserError that names `source` (a file) and the key's path below `path`.
    """
    if not isinstance(values, Mapping):
        raise UserError(
            f"{source}: '{path or 'the file'}' must be a mapping of keys to values (found {values!r})."
        )
    hints = get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    renamed = getattr(kind, "renamed_keys", {})
    for key in values:
        if key in renamed:
            raise UserError(f"{source}: the key '{_join(path, key)}' is now '{_join(path, renamed[key])}'.")
        if key not in fields:
            raise UserError(f"{source}: unknown key '{_join(path, key)}'; the keys are {', '.join(fields)}.")
    for name, field in fields.items():
        has_default = (
            field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
        )
        if name not in values and not has_default:
            raise UserError(f"{source}: the key '{_join(path, name)}' is missing.")
    checked = {key: _value(hints[key], value, source, _join(path, key)) for key, value in values.items()}
    try:
        return kind(**checked)
    except ValueError as error:
        raise UserError(f"{source}: {f'{path!r}: ' if path else ''}{error}.") from None


def _value(hint: Any, value: Any, source: str, path: str) -> Any:
    if dataclasses.is_dataclass(hint):
        return from_mapping(hint, value, source, path)  # type: ignore[arg-type]
    origin, choices = get_origin(hint), get_args(hint)
    if origin is tuple:
        if not isinstance(value, list | tuple) or not value:
            raise UserError(f"{source}: '{path}' must be a list with at least one entry (found {value!r}).")
        return tuple(
            _value(choices[0], item, source, f"{path}[{number}]") for number, item in enumerate(value)
        )
    if origin is Literal:
        if not any(type(value) is type(choice) and value == choice for choice in choices):
            raise UserError(
                f"{source}: '{path}' must be one of {', '.join(map(str, choices))} (found {value!r})."
            )
        return value
    kinds = choices if origin in (Union, types.UnionType) else (hint,)
    literals = [kind for kind in kinds if get_origin(kind) is Literal]
    if literals and value is not None:
        return _value(literals[0], value, source, path)
    if type(value) is int and float in kinds:
        return float(value)
    if type(value) not in kinds:
        names = " or ".join("none" if kind is types.NoneType else kind.__name__ for kind in kinds)
        raise UserError(f"{source}: '{path}' must be of type {names} (found {value!r}).")
    return value


def _join(path: str, key: object) -> str:
    return f"{path}.{key}" if path else str(key)
