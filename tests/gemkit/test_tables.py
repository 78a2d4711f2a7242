"""Parquet tables: checked on read, written atomically."""

import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemkit.errors import UserError
from gemkit.tables import read_rows, read_table, write_stream, write_table

SCHEMA = pa.schema([("sha256", pa.string()), ("count", pa.int64()), ("names", pa.list_(pa.string()))])


@given(st.lists(st.tuples(st.text(), st.integers(-(2**63), 2**63 - 1), st.lists(st.text()))))
@settings(max_examples=30, deadline=None)
def test_tables_round_trip(tmp_path_factory: pytest.TempPathFactory, rows: list) -> None:
    path = tmp_path_factory.mktemp("table") / "t.parquet"
    table = pa.table({name: [row[i] for row in rows] for i, name in enumerate(SCHEMA.names)}, schema=SCHEMA)
    write_table(path, table)
    assert read_table(path, SCHEMA).equals(table)
    assert sum(batch.num_rows for batch in read_rows(path, SCHEMA)) == len(rows)


def test_error_names_a_missing_column(tmp_path: Path) -> None:
    write_table(tmp_path / "t.parquet", pa.table({"sha256": ["a"]}))
    with pytest.raises(UserError, match=r"t\.parquet' has no column 'count' \(int64 expected"):
        read_table(tmp_path / "t.parquet", SCHEMA)


def test_only_the_columns_that_are_read_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    write_table(path, pa.table({"sha256": ["a"], "count": ["1"]}))
    assert read_table(path, SCHEMA, ["sha256"]).to_pylist() == [{"sha256": "a"}]
    for column in ("count", "names"):
        with pytest.raises(UserError, match=f"column '{column}'"):
            read_table(path, SCHEMA, ["sha256", column])


def test_error_names_a_column_of_the_wrong_type(tmp_path: Path) -> None:
    write_table(tmp_path / "t.parquet", pa.table({"sha256": ["a"], "count": ["1"], "names": [["x"]]}))
    with pytest.raises(UserError, match="column 'count' is string, int64 expected"):
        read_table(tmp_path / "t.parquet", SCHEMA)


def test_an_error_says_what_writes_the_table(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    schema = pa.schema([("sha256", pa.string()), ("box", pa.struct([("left", pa.int32())]))])
    with pytest.raises(UserError, match=r"does not exist; run 'gem write'\.$"):
        read_table(path, schema, written_by="'gem write'")
    write_table(path, pa.table({"sha256": ["a"], "box": [[1]]}))
    sentence = r"t\.parquet': column 'box' is .*, struct of 1 fields expected; run 'gem write'\.$"
    with pytest.raises(UserError, match=sentence):
        read_table(path, schema, written_by="'gem write'")


def test_long_types_are_short_in_an_error(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    reason = pa.struct([("rule", pa.string()), ("text", pa.string())])
    write_table(path, pa.table({"reasons": [[{"rule": "a", "text": "b"}]]}))
    sentence = "column 'reasons' is list of struct of 2 fields, list of struct of 3 fields expected"
    with pytest.raises(UserError, match=sentence):
        read_table(path, pa.schema([("reasons", pa.list_(pa.struct([*reason, ("kind", pa.string())])))]))


def test_error_names_a_truncated_file(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    write_table(path, pa.table({"sha256": ["a"], "count": [1], "names": [["x"]]}, schema=SCHEMA))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UserError, match=r"t\.parquet' is not a complete Parquet file"):
        read_table(path, SCHEMA)


def test_an_interrupted_write_leaves_the_old_table_and_no_temporary_file(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    table = pa.table({"sha256": ["a"], "count": [1], "names": [["x"]]}, schema=SCHEMA)
    write_table(path, table)

    def pieces() -> Iterator[pa.Table]:
        yield table
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_stream(path, SCHEMA, pieces())
    assert read_table(path, SCHEMA).equals(table)
    assert [file.name for file in tmp_path.iterdir()] == ["t.parquet"]


def test_a_read_only_link_is_replaced_not_written_through(tmp_path: Path) -> None:
    cached, path = tmp_path / "cached", tmp_path / "t.parquet"
    cached.write_text("cache")
    cached.chmod(0o444)
    os.link(cached, path)
    write_table(path, pa.table({"sha256": ["a"]}))
    assert cached.read_text() == "cache"
