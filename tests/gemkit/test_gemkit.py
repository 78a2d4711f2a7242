"""The parts that all three packages stand on."""

import multiprocessing
import os
import sqlite3
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemkit.errors import UserError
from gemkit.memo import Memo
from gemkit.params import load_params
from gemkit.progress import Progress
from gemkit.tables import read_rows, read_table, write_stream, write_table

SCHEMA = pa.schema([("sha256", pa.string()), ("count", pa.int64()), ("names", pa.list_(pa.string()))])


@given(st.lists(st.tuples(st.text(), st.integers(-(2**63), 2**63 - 1), st.lists(st.text()))))
@settings(max_examples=30, deadline=None)
def test_a_table_comes_back_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, rows: list) -> None:
    path = tmp_path_factory.mktemp("table") / "t.parquet"
    table = pa.table({name: [row[i] for row in rows] for i, name in enumerate(SCHEMA.names)}, schema=SCHEMA)
    write_table(path, table)
    assert read_table(path, SCHEMA).equals(table)
    assert sum(batch.num_rows for batch in read_rows(path, SCHEMA)) == len(rows)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    write_table(tmp_path / "t.parquet", pa.table({"sha256": ["a"]}))
    with pytest.raises(UserError, match=r"t\.parquet' has no column 'count' \(int64 expected"):
        read_table(tmp_path / "t.parquet", SCHEMA)


def test_a_wrong_type_is_named(tmp_path: Path) -> None:
    write_table(tmp_path / "t.parquet", pa.table({"sha256": ["a"], "count": ["1"], "names": [["x"]]}))
    with pytest.raises(UserError, match="column 'count' is string, int64 expected"):
        read_table(tmp_path / "t.parquet", SCHEMA)


def test_a_truncated_table_is_named(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    write_table(path, pa.table({"sha256": ["a"], "count": [1], "names": [["x"]]}, schema=SCHEMA))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UserError, match=r"t\.parquet' is not a complete Parquet file"):
        read_table(path, SCHEMA)


def test_an_interrupted_write_leaves_the_old_table_and_no_rest(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    table = pa.table({"sha256": ["a"], "count": [1], "names": [["x"]]}, schema=SCHEMA)
    write_table(path, table)

    def pieces():
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


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sites: [demo", "not valid YAML"),
        ("- a", "must be a mapping"),
        ("stes: [demo]", "unknown key 'stes'"),
        ("sites: demo", "'sites' must be a list of names"),
        ("sites: [1]", "'sites' must be a list of names"),
    ],
)
def test_params_that_cannot_be_read_are_explained(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(UserError, match=words):
        load_params(tmp_path / "params.yaml")


@pytest.mark.parametrize(
    ("text", "value"),
    [("5e-4", 5e-4), ("1e3", 1e3), ("-.5E+2", -50.0), ("'5e-4'", "5e-4"), ("2e", "2e"), ("1e5a", "1e5a")],
)
def test_numbers_with_an_exponent_need_no_point(tmp_path: Path, text: str, value: float | str) -> None:
    (tmp_path / "params.yaml").write_text(f"train: {{rate: {text}}}")
    assert load_params(tmp_path / "params.yaml")["train"]["rate"] == value


def open_memos(folder: Path, together: Barrier, failed: Event) -> None:
    try:
        for number in range(25):
            together.wait(60)
            with Memo(f"memo{number}", 1, None, folder) as memo:
                memo.put([("a", {}, None)])
    except Exception:
        failed.set()
        together.abort()


def test_processes_may_create_a_memo_at_the_same_moment(tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    together, failed = context.Barrier(5), context.Event()
    processes = [context.Process(target=open_memos, args=(tmp_path, together, failed)) for _ in range(5)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert not failed.is_set() and {process.exitcode for process in processes} == {0}


def test_the_memo_forgets_what_other_settings_or_versions_made(tmp_path: Path) -> None:
    with Memo("crop", 1, {"size": 64}, tmp_path) as memo:
        memo.put([("a", {"x": 1}, b"pixels"), ("b", {"x": 2}, None)])
        assert memo.get("a") == ({"x": 1}, b"pixels")
        assert list(memo.missing(["a", "b", "c"])) == ["c"]
    for version, settings_ in ((2, {"size": 64}), (1, {"size": 65})):
        with Memo("crop", version, settings_, tmp_path) as memo:
            assert "a" not in memo
    with Memo("crop", 1, {"size": 64}, tmp_path) as memo:
        assert "a" in memo


def test_the_memo_keeps_what_a_killed_process_had_put(tmp_path: Path) -> None:
    memo = Memo("measure", 1, None, tmp_path)
    memo.put([("a", {"x": 1}, None)])
    # No close: as after a kill, the write-ahead log is still there.
    with sqlite3.connect(tmp_path / "measure.sqlite") as database:
        assert database.execute("SELECT count(*) FROM memo").fetchone() == (1,)


def test_progress_is_told_once_where_work_is_within_work(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 10_000, 20))
    monkeypatch.setattr("gemkit.progress.time.monotonic", lambda: float(next(clock)))
    with Progress("photos", 2) as outer:
        with Progress("network", 1) as inner:
            inner.advance()
        outer.advance()
    with Progress("again", 1) as alone:
        alone.advance()
    told = [line.split(":")[0] for line in capsys.readouterr().err.splitlines()]
    assert told == ["photos", "again"]
