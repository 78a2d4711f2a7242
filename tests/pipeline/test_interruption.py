"""kill -9 and Ctrl-C in every stage: no lost or incomplete results, and no finished work is repeated."""

import shutil
import signal
import sqlite3
from pathlib import Path

import pytest

from tests.helpers.commands import called, signal_when, start
from tests.helpers.slow import others_slow

MEASURE = ("gemcurate", "measure", "--site", "demo")
CROP = ("gemcurate", "crop")
TRAIN = ("gemtrain", "train", "--dataset", "d1k", "--recipe", "gemnet")
EVALUATE = ("gemtrain", "evaluate", "--dataset", "d1k", "--recipe", "gemnet")


def rows(folder: Path, memo: str) -> dict[bytes, int]:
    """Key → row number of the memo's results; a result that is computed again gets a new row number.

    Rows without a record are left out.
    """
    path = folder / f".cache/{memo}.sqlite"
    if not path.exists():
        return {}
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
            return dict(database.execute("SELECT key, rowid FROM memo WHERE record != '{}'"))
    except sqlite3.OperationalError:
        return {}


#: How many images a stage has to do again: enough that it still runs when the signal arrives.
FORGOTTEN = {"measure": 60, "crop": 100}


def forget(folder: Path, memo: str) -> int:
    """Delete results, as if that many images were new. Returns the number of remaining results.

    Those with the most text go first: to measure them takes longest.
    """
    with sqlite3.connect(folder / f".cache/{memo}.sqlite") as database:
        database.execute(
            "DELETE FROM memo WHERE key IN (SELECT key FROM memo WHERE record != '{}'"
            " ORDER BY json_extract(record, '$.text_boxes') DESC, key LIMIT ?)",
            [FORGOTTEN[memo]],
        )
    return len(rows(folder, memo))


@pytest.mark.parametrize(
    ("memo", "stage", "output"),
    [
        pytest.param("measure", MEASURE, "data/measured", marks=pytest.mark.slow),
        ("crop", CROP, "data/crops"),
    ],
)
def test_kill_and_rerun(project: Path, memo: str, stage: tuple[str, ...], output: str) -> None:
    expected = {file.name: file.read_bytes() for file in (project / output).iterdir()}
    remaining = forget(project, memo)
    shutil.rmtree(project / output)

    process = start(*stage, cwd=project)
    code, _ = signal_when(process, lambda: len(rows(project, memo)) >= remaining + 8, signal.SIGKILL)
    assert code == -signal.SIGKILL
    finished = rows(project, memo)
    assert len(finished) >= remaining + 8
    assert not (project / output).exists() or not list((project / output).glob("*.parquet"))

    called(*stage, cwd=project)
    after = rows(project, memo)
    assert {key: after[key] for key in finished} == finished, "finished work is not repeated"
    assert len(after) > len(finished)
    assert {file.name: file.read_bytes() for file in (project / output).iterdir()} == expected


@pytest.mark.slow
def test_ctrl_c_while_measuring(project: Path) -> None:
    remaining = forget(project, "measure")
    process = start(*MEASURE, cwd=project)
    code, stderr = signal_when(process, lambda: len(rows(project, "measure")) > remaining, signal.SIGINT)
    assert code == 130 and "Traceback" not in stderr and "Interrupted" in stderr


def test_ctrl_c_while_cropping(project: Path) -> None:
    remaining = forget(project, "crop")
    process = start(*CROP, cwd=project)
    code, stderr = signal_when(process, lambda: len(rows(project, "crop")) > remaining, signal.SIGINT)
    assert code == 130 and "Traceback" not in stderr and "Interrupted" in stderr


@pytest.mark.slow
def test_ctrl_c_while_crawling(project: Path) -> None:
    shutil.rmtree(project / "data/raw")
    shutil.rmtree(project / ".cache/crawl")
    images = project / "data/raw/demo/images"
    process = start("gemscrape", "crawl", "--site", "demo", cwd=project)
    code, stderr = signal_when(process, lambda: len(list(images.glob("*/*"))) > 5, signal.SIGINT)
    assert code == 130 and "Traceback" not in stderr and "Interrupted" in stderr


@pytest.mark.slow
def test_ctrl_c_while_training(project: Path) -> None:
    params = (project / "params.yaml").read_text().replace("max_steps: 6", "max_steps: 100000")
    (project / "params.yaml").write_text(params)
    shutil.rmtree(project / "models/d1k/gemnet")
    shutil.rmtree(project / ".cache/train", ignore_errors=True)
    process = start(*TRAIN, cwd=project)
    code, stderr = signal_when(process, lambda: any((project / ".cache/train").rglob("*.*")), signal.SIGINT)
    assert code == 130 and "Traceback" not in stderr and "Interrupted" in stderr


@pytest.mark.parametrize(
    "stage",
    others_slow(
        [
            ("gemcurate", "clean"),
            ("gemcurate", "split"),
            ("gemcurate", "balance", "--dataset", "d2k"),
            EVALUATE,
        ],
        ("gemcurate", "clean"),
    ),
)
def test_ctrl_c_in_a_short_stage(project: Path, stage: tuple[str, ...]) -> None:
    """Interrupt the command once it has installed its signal handlers, before or during its work."""
    process = start(*stage, cwd=project)
    modules = Path(f"/proc/{process.pid}/maps")
    code, stderr = signal_when(process, lambda: "libarrow" in modules.read_text(), signal.SIGINT)
    assert code == 130 and "Traceback" not in stderr
    called(*stage, cwd=project)
