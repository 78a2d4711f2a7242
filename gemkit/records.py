"""Records in JSON and CSV files, read strictly: values of exactly their types, all keys and no others."""

import csv
import json
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pydantic_core
from pydantic import ConfigDict, TypeAdapter, ValidationError

from gemkit.errors import GemscrapeError
from gemkit.validation import problems

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

#: The `__pydantic_config__` of a dataclass that is read from JSON; it also holds for dataclasses inside.
STRICT = ConfigDict(strict=True)

Record = TypeVar("Record")
Row = TypeVar("Row", bound="DataclassInstance")


class InvalidRecord(GemscrapeError):
    """Raised for the content of a file that is not the expected record; the message is the first problem."""

    kind = "invalid_record"


def read_json(path: Path) -> object:
    """The content of a JSON file. Raises OSError and InvalidRecord."""
    try:
        content: object = pydantic_core.from_json(path.read_bytes())
    except ValueError:
        raise InvalidRecord("the file is not valid JSON") from None
    return content


def from_json(kind: type[Record], content: object) -> Record:
    """The STRICT dataclass or model in parsed JSON, which has all its keys, also those with a default.

    Raises InvalidRecord.
    """
    adapter = TypeAdapter(kind)
    try:
        record = adapter.validate_json(json.dumps(content))
    except ValidationError as error:
        raise InvalidRecord(problems(error, kind, content)[0]) from None
    _check_keys(content, adapter.dump_python(record, mode="json"), "")
    return record


def read_csv(kind: type[Row], path: Path) -> list[Row]:
    """The dataclass instances in a CSV file, a field a column in their order; an empty cell is None.

    Raises OSError and InvalidRecord.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
    except (csv.Error, UnicodeDecodeError):
        raise InvalidRecord("the file is not valid CSV") from None
    columns = [field.name for field in fields(kind)]
    if rows[:1] != [columns]:
        raise InvalidRecord(f"the columns must be {', '.join(columns)}")
    adapter = TypeAdapter(kind)
    records = []
    for number, cells in enumerate(rows[1:], start=1):
        if len(cells) != len(columns):
            raise InvalidRecord(f"row {number} has {len(cells)} cells for {len(columns)} columns")
        values = {column: cell or None for column, cell in zip(columns, cells, strict=True)}
        try:
            records.append(adapter.validate_python(values))
        except ValidationError as error:
            raise InvalidRecord(f"in row {number}, {problems(error, kind, values)[0]}") from None
    return records


def _check_keys(found: Any, record: Any, place: str) -> None:
    """Compare the keys found in a file with those that the record would be written with."""
    if isinstance(record, dict):
        for key in [*record, *found]:
            inside = f"{place}.{key}" if place else str(key)
            if key not in found:
                raise InvalidRecord(f"the key '{inside}' is missing")
            if key not in record:
                raise InvalidRecord(f"unknown key {inside!r}")
            _check_keys(found[key], record[key], inside)
    elif isinstance(record, list):
        if not isinstance(found, list):
            raise InvalidRecord(f"'{place}' must be a list")
        for number, (inner, written) in enumerate(zip(found, record, strict=True)):
            _check_keys(inner, written, f"{place}[{number}]")
