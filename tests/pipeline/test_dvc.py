"""`dvc repro` in a temporary clone: everything runs once, and a change reruns only the stages it affects."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from curation.tables import CLEAN
from gemkit.tables import read_table
from tests.helpers import dvc
from tests.helpers.commands import BIN, ROOT
from tests.helpers.project import set_param, share_rendered, small_params


def run(*arguments: str, cwd: Path) -> str:
    """Run a command with the code in `cwd`. Returns its output."""
    return dvc.run(*arguments, cwd=cwd, PYTHONPATH=str(cwd))


def repro(clone: Path, *stages: str) -> set[str]:
    """Run the pipeline with the code in the clone."""
    return dvc.repro(clone, *stages, PYTHONPATH=str(clone))


def stale(clone: Path) -> set[str]:
    """The stages that would run again with the code in the clone."""
    return dvc.stale(clone, PYTHONPATH=str(clone))


def append_comment(path: Path) -> None:
    """Edit a module without changing what it does."""
    path.write_text(path.read_text() + "\n# edited\n")


def sites_of_images(clone: Path) -> set[str]:
    """The sites in the table that `clean` wrote."""
    return set(read_table(clone / "data/clean.parquet", CLEAN, ["site"])["site"].to_pylist())


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory, rendered: Path, pipeline: Path) -> Path:
    """A copy of the project in a new git repository, with two stores, one dataset and one recipe.

    Both stores sell the same photos. Their measures and crops are in the memos, as after an earlier run.
    """
    folder = tmp_path_factory.mktemp("clone") / "project"
    files = run("git", "ls-files", "-co", "--exclude-standard", cwd=ROOT).split()
    for file in files:
        source, target = ROOT / file, folder / file
        if source.exists() and not file.startswith(("metrics/", "plots/")) and file != "dvc.lock":
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
    share_rendered(rendered, folder)
    for memo in ("measure", "crop"):
        shutil.copy(pipeline / f".cache/{memo}.sqlite", folder / ".cache")
    (folder / "scraper/sites/annex.toml").write_text((ROOT / "scraper/sites/demo.toml").read_text())
    params = small_params()
    params["sites"] = ["annex", "demo"]
    params["crawl"]["annex"] = params["crawl"]["demo"]
    params["datasets"], params["recipes"] = ["d1k"], ["gemnet"]
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    run("git", "init", "--quiet", cwd=folder)
    run("git", "add", ".", cwd=folder)
    run("git", "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "x", cwd=folder)
    return folder


def check_partial_reruns(clone: Path) -> None:
    """Each change reruns the stages whose result it can change, and no other."""
    models, rules = clone / "gemtrain/models", clone / "curation/cleaning/rules"
    shutil.copy(models / "alexnet.py", models / "unused.py")
    append_comment(models / "vgg.py")
    shutil.copy(clone / "gemtrain/recipes/gemnet.toml", clone / "gemtrain/recipes/unused.toml")
    set_param(clone, "limits.measure.memory_mb", 3000)
    assert repro(clone) == {"network@gemnet"}, "gemnet uses none of the changed files and no limit"

    shutil.copy(rules / "small.py", rules / "tiny_twin.py")
    set_param(clone, "clean.rules.tiny_twin", False)
    assert repro(clone) == {"clean"}, "a rule that is switched off changes no table"

    append_comment(clone / "curation/inspect/visualise.py")
    assert repro(clone) == {"steps"}

    append_comment(models / "gemnet.py")
    assert stale(clone) == {"network@gemnet"}
    repro(clone, "network@gemnet")
    assert stale(clone) == {"train@d1k-gemnet", "evaluate@d1k-gemnet"}


@pytest.mark.timeout(600)
def test_the_whole_pipeline(clone: Path) -> None:
    ran = repro(clone)
    assert {"crawl@demo", "crawl@annex", "clean", "balance@d1k", "train@d1k-gemnet"} <= ran
    metrics = json.loads((clone / "metrics/d1k/gemnet.json").read_text())
    assert 0 <= metrics["top1"] <= metrics["top3"] <= metrics["top5"] <= 1
    for name in ("canny_steps.png", "d1k/classes.csv", "d1k/gemnet/confusion.csv", "d1k/gemnet/curves.png"):
        assert (clone / "plots" / name).stat().st_size > 0
    assert "__pycache__" not in (clone / "dvc.lock").read_text()
    assert sites_of_images(clone) == {"annex"}, "an image on two sites belongs to the first site by name"
    run("git", "add", ".", cwd=clone)
    run("git", "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "run", cwd=clone)

    assert repro(clone) == set(), "without a change, no stage runs"

    check_partial_reruns(clone)

    program = str(BIN / "dvc")
    assert "top1" in run(program, "metrics", "show", cwd=clone)
    assert "clean" in run(program, "dag", cwd=clone)
    run(program, "plots", "show", "--out", "plots_page", cwd=clone)
    page = (clone / "plots_page/index.html").read_text()
    assert "confusion" in page

    set_param(clone, "clean.rules.small.side", 400)
    assert repro(clone, "crop", "split") == {"clean", "crop", "split"}
    assert "metrics/clean.json" in run(program, "metrics", "diff", cwd=clone)

    set_param(clone, "sites", ["demo"])
    assert repro(clone, "clean") == {"clean"}
    assert sites_of_images(clone) == {"demo"}
