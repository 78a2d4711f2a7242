"""Records in JSON and CSV files."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemkit.records import STRICT, InvalidRecord, from_json, read_csv, read_json
from gemkit.strict_model import StrictModel


class Range(NamedTuple):
    low: float
    high: float


class Settings(StrictModel):
    size: int = 3


@dataclass(frozen=True)
class Part:
    count: int
    name: str | None


@dataclass(frozen=True)
class Whole:
    __pydantic_config__ = STRICT

    parts: list[Part]
    range: Range
    settings: Settings


WHOLE = {
    "parts": [{"count": 1, "name": "a"}, {"count": 2, "name": None}],
    "range": [0, 0.5],
    "settings": {"size": 4},
}


def test_a_record_is_read_with_all_inside_it() -> None:
    assert from_json(Whole, WHOLE) == Whole([Part(1, "a"), Part(2, None)], Range(0.0, 0.5), Settings(size=4))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"parts": [{"count": "1", "name": None}]}, "'parts[0].count' must be an integer (found '1')"),
        ({"parts": [{"count": 1.0, "name": None}]}, "'parts[0].count' must be an integer (found 1.0)"),
        ({"parts": [{"count": 1}]}, "the key 'parts[0].name' is missing"),
        ({"parts": [{"count": 1, "name": None, "kind": 1}]}, "unknown key 'parts[0].kind'"),
        ({"parts": [3]}, "'parts[0]' must be a mapping of keys to values (found 3)"),
        ({"range": [0]}, "the key 'range[1]' is missing"),
        ({"range": [0, 1, 2]}, "'range' must be a list of at most 2 values (found a list)"),
        ({"range": "0"}, "'range' must be a list (found '0')"),
        ({"range": {"low": 0, "high": 1}}, "'range' must be a list"),
        ({"settings": {}}, "the key 'settings.size' is missing"),
        ({"settings": {"sice": 3}}, "unknown key 'settings.sice'; the keys are size"),
        ({"more": 3}, "unknown key 'more'"),
    ],
)
def test_the_first_problem_names_its_key(changes: dict[str, object], problem: str) -> None:
    with pytest.raises(InvalidRecord) as error:
        from_json(Whole, WHOLE | changes)
    assert str(error.value) == problem


_KEYS = st.sampled_from(["parts", "range", "settings", "count", "name", "size", "more"])
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
)


@given(_VALUES | _VALUES.map(lambda value: WHOLE | {"parts": value}))
def test_any_content_is_a_record_or_one_clause(content: object) -> None:
    try:
        record = from_json(Whole, content)
    except InvalidRecord as error:
        assert str(error) and "\n" not in str(error)
    else:
        assert isinstance(content, dict) and [asdict(part) for part in record.parts] == content["parts"]


@given(st.binary() | _VALUES.map(repr).map(str.encode))
def test_any_bytes_are_json_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("json") / "file.json"
    path.write_bytes(content)
    try:
        read_json(path)
    except InvalidRecord as error:
        assert str(error) == "the file is not valid JSON"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "the columns must be count, name"),
        ("name,count\na,1\n", "the columns must be count, name"),
        ("count,name,more\n1,a,b\n", "the columns must be count, name"),
        ("count,name\n1\n", "row 1 has 1 cells for 2 columns"),
        ("count,name\n1,a\nb,c\n", "in row 2, 'count' must be an integer (found 'b')"),
        ("count,name\n1,\0\xff", "the file is not valid CSV"),
    ],
)
def test_rows_of_another_form_are_refused(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "parts.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InvalidRecord) as error:
        read_csv(Part, path)
    assert str(error.value) == problem


def test_rows_are_read_with_empty_cells_as_none(tmp_path: Path) -> None:
    path = tmp_path / "parts.csv"
    path.write_text('count,name\n1,"a, b"\n2,\n')
    assert read_csv(Part, path) == [Part(1, "a, b"), Part(2, None)]
