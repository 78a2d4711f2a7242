"""`dvc repro` in a temporary clone: everything runs once, and a change reruns only the stages it affects."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from curation.tables import CLEAN
from gemkit.tables import read_table
from tests.helpers import dvc
from tests.helpers.commands import BIN, ROOT, called
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


def copy_project(folder: Path, rendered: Path, pipeline: Path, sites: list[str]) -> None:
    """Copy the project into a new git repository, with these sites, one dataset and one recipe.

    The measures and crops of the demo store are in the memos, as after an earlier run.
    """
    files = run("git", "ls-files", "-co", "--exclude-standard", cwd=ROOT).split()
    for file in files:
        source, target = ROOT / file, folder / file
        if source.exists() and not file.startswith(("metrics/", "plots/")) and file != "dvc.lock":
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
    share_rendered(rendered, folder)
    for memo in ("measure", "crop"):
        shutil.copy(pipeline / f".cache/{memo}.sqlite", folder / ".cache")
    params = {**small_params(), "sites": sites, "datasets": ["d1k"], "recipes": ["gemnet"]}
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    run("git", "init", "--quiet", cwd=folder)
    run("git", "add", ".", cwd=folder)
    run("git", "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "x", cwd=folder)


@pytest.fixture
def clone(tmp_path: Path, rendered: Path, pipeline: Path) -> Path:
    """A copy of the project with two stores, which sell the same photos."""
    folder = tmp_path / "project"
    copy_project(folder, rendered, pipeline, ["annex", "demo"])
    (folder / "scraper/sites/annex.toml").write_text((ROOT / "scraper/sites/demo.toml").read_text())
    params = yaml.safe_load((folder / "params.yaml").read_text())
    set_param(folder, "crawl.annex", params["crawl"]["demo"])
    return folder


@pytest.fixture
def committed(tmp_path: Path, rendered: Path, pipeline: Path) -> Path:
    """A copy of the project whose stages have all run, in this process, and whose lock says so."""
    folder = tmp_path / "project"
    copy_project(folder, rendered, pipeline, ["demo"])
    for part in ("data", "metrics", "models", "plots"):
        shutil.copytree(pipeline / part, folder / part)
    for stage in (
        ("gemcurate", "steps"),
        ("gemtrain", "network", "--recipe", "gemnet"),
        ("gemtrain", "report", "--dataset", "d1k"),
    ):
        called(*stage, cwd=folder)
    run(str(BIN / "dvc"), "commit", "--force", cwd=folder)
    return folder


@pytest.mark.timeout(600)
def test_a_change_reruns_the_stages_whose_result_it_can_change(committed: Path) -> None:
    models, rules = committed / "gemtrain/models", committed / "curation/cleaning/rules"
    shutil.copy(models / "alexnet.py", models / "unused.py")
    append_comment(models / "vgg.py")
    shutil.copy(committed / "gemtrain/recipes/gemnet.toml", committed / "gemtrain/recipes/unused.toml")
    set_param(committed, "limits.measure.memory_mb", 3000)
    shutil.copy(rules / "small.py", rules / "tiny_twin.py")
    set_param(committed, "clean.rules.tiny_twin", False)
    append_comment(committed / "curation/inspect/visualise.py")
    assert repro(committed) == {
        "network@gemnet",  # gemnet uses none of the changed files
        "clean",  # a rule that is switched off changes no table
        "steps",
    }

    append_comment(models / "gemnet.py")
    assert repro(committed, "network@gemnet") == {"network@gemnet"}
    assert stale(committed) == {"train@d1k-gemnet", "evaluate@d1k-gemnet"}


@pytest.mark.slow
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
