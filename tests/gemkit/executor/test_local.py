"""The local executor: order of results, shutdown, and items that kill their worker."""

import multiprocessing
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from gemkit.errors import UserError
from gemkit.executor.base import GivenUp, Limits
from gemkit.executor.local import map_in_order, map_items, map_shards
from tests.helpers import dangerous
from tests.helpers.commands import ROOT, command
from tests.helpers.dangerous import double

LIMITS = Limits(seconds=1, memory_mb=1024)


def run(items: list[Any], workers: int = 2) -> dict[Any, Any]:
    """The result of each item; every item has exactly one."""
    finished = [pair for batch in map_items(double, items, LIMITS, workers) for pair in batch]
    assert sorted(map(str, items)) == sorted(str(item) for item, _ in finished)
    return dict(finished)


def test_shards_come_back_in_order_whatever_the_number_of_workers() -> None:
    for workers in (1, 3):
        assert list(map_shards(double, range(20), workers)) == [n * 2 for n in range(20)]
    assert not list(map_shards(double, [], 2))


def test_a_script_needs_no_guard_and_may_pass_its_own_function(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from gemkit.executor.local import map_shards\n"
        "from tests.helpers.dangerous import double\n"
        "print(list(map_shards(double, [1, 2], 1)))\n"
    )
    done = command("python", str(script), cwd=tmp_path, PYTHONPATH=str(ROOT))
    assert (done.stdout, done.stderr) == ("[2, 4]\n", "")
    script.write_text(
        "from functools import partial\n"
        "from gemkit.executor.local import map_shards\n"
        "def add(number, other):\n    return number + other\n"
        "if __name__ == '__main__':\n    print(list(map_shards(partial(add, 5), [1, 2], 1)))\n"
    )
    assert command("python", str(script), cwd=tmp_path, PYTHONPATH=str(ROOT)).stdout == "[6, 7]\n"


def test_leaving_early_ends_the_workers() -> None:
    results = map_shards(double, [0, "sleep", "sleep", "sleep"], 2)
    assert next(results) == 0
    results.close()
    assert not multiprocessing.active_children()


def test_an_exception_of_the_function_is_raised_with_its_origin() -> None:
    with pytest.raises(ValueError, match="this is wrong") as caught:
        list(map_shards(double, [1, "raise"], 1))
    assert "dangerous.py" in caught.value.__notes__[0]
    assert not multiprocessing.active_children()


def test_a_crash_of_a_shard_is_one_clear_error() -> None:
    with pytest.raises(UserError, match=r"A worker process crashed \(SIGSEGV\); run the same command"):
        list(map_shards(double, [1, "crash"], 1))


@pytest.mark.heavy
def test_items_that_kill_their_worker_affect_no_others() -> None:
    harmless = list(range(50))
    deeds = {
        "crash": GivenUp("crashed", "crashed (SIGSEGV)"),
        "exit": GivenUp("crashed", "crashed (exit code 3)"),
        "be killed": GivenUp("killed", "was killed (out of memory?)"),
        "hang": GivenUp("time", "took longer than 1 s"),
        "fill memory": GivenUp("memory", "needs more than 1,024 MB"),
    }
    results = run([*harmless[:20], *deeds, *harmless[20:]])
    assert {item: results[item] for item in harmless} == {item: item * 2 for item in harmless}
    assert {deed: results[deed] for deed in deeds} == deeds
    assert not multiprocessing.active_children()


def test_an_item_is_retried_alone_before_it_is_given_up(tmp_path: Path) -> None:
    unlucky = ("once", str(tmp_path), "be killed")
    assert run([1, unlucky, 2], workers=1) == {1: 2, unlucky: "be killed", 2: 4}


@pytest.mark.heavy
def test_many_failures_in_a_row_are_an_error() -> None:
    with pytest.raises(UserError, match=r"10 items in a row failed, the last because it crashed"):
        run(["exit"] * 40)


def test_items_are_read_lazily() -> None:
    items = iter(range(10_000))
    results = map_items(double, items, LIMITS, 1)
    next(results)
    assert next(items) < 100
    results.close()


def test_a_task_may_be_one_item() -> None:
    results = map_items(double, [1, 2], LIMITS, 2, batch=1)
    assert len(next(results)) == 1 and len(multiprocessing.active_children()) == 2
    results.close()
    assert not multiprocessing.active_children()


@pytest.mark.parametrize("scale", [1, 50])
def test_results_are_in_order_and_few_wait_for_a_slow_item(tmp_path: Path, scale: int) -> None:
    items = iter([0, ("once", str(tmp_path), "hang"), *range(1, 300), "exit", 300])
    sizes = {} if scale == 1 else {"size": lambda result: scale}
    results = map_in_order(double, items, LIMITS, 20 * scale, workers=2, batch=2, **sizes)
    assert [next(results), next(results)] == [0, "hang"]
    assert 15 < next(items) < 40
    *found, given_up, last = results
    assert found == sorted(found) and found[-1] == 598 and len(found) == 298
    assert given_up == GivenUp("crashed", "crashed (exit code 3)") and last == 600
    assert not multiprocessing.active_children()


def test_workers_end_with_a_killed_parent() -> None:
    program = (
        "from dangerous import double; from gemkit.executor.local import Limits, map_items\n"
        "list(map_items(double, ['hang', 'sleep'] * 16, Limits(2, 1024), 2))"
    )
    parent = psutil.Popen([sys.executable, "-c", program], cwd=Path(dangerous.__file__).parent)
    deadline = time.monotonic() + 30
    while (
        len(workers := parent.children()) < 3 and time.monotonic() < deadline
    ):  # one is multiprocessing's own
        time.sleep(0.02)
    time.sleep(0.5)
    parent.kill()
    parent.wait()
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert len(workers) >= 3 and not alive
