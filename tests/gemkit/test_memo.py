"""The memo: shared between processes, versioned, safe against kills."""

import multiprocessing
import sqlite3
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path

from gemkit.memo import Memo


def open_memos(folder: Path, barrier: Barrier, failed: Event) -> None:
    try:
        for number in range(25):
            barrier.wait(60)
            with Memo(f"memo{number}", 1, None, folder) as memo:
                memo.put([("a", {}, None)])
    except Exception:
        failed.set()
        barrier.abort()


def test_processes_may_create_a_memo_concurrently(tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    barrier, failed = context.Barrier(5), context.Event()
    processes = [context.Process(target=open_memos, args=(tmp_path, barrier, failed)) for _ in range(5)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert not failed.is_set() and {process.exitcode for process in processes} == {0}


def test_results_of_other_settings_or_versions_are_not_used(tmp_path: Path) -> None:
    with Memo("crop", 1, {"size": 64}, tmp_path) as memo:
        memo.put([("a", {"x": 1}, b"pixels"), ("b", {"x": 2}, None)])
        assert memo.get("a") == ({"x": 1}, b"pixels")
        assert list(memo.missing(["a", "b", "c"])) == ["c"]
    for version, settings in ((2, {"size": 64}), (1, {"size": 65})):
        with Memo("crop", version, settings, tmp_path) as memo:
            assert "a" not in memo
    with Memo("crop", 1, {"size": 64}, tmp_path) as memo:
        assert "a" in memo


def test_results_survive_a_killed_process(tmp_path: Path) -> None:
    memo = Memo("measure", 1, None, tmp_path)
    memo.put([("a", {"x": 1}, None)])
    # No close: as after a kill, the write-ahead log is still there.
    with sqlite3.connect(tmp_path / "measure.sqlite") as database:
        assert database.execute("SELECT count(*) FROM memo").fetchone() == (1,)
