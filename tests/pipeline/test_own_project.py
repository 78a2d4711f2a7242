"""`dvc repro` in a project of one's own: it runs the demo, and an upgrade reruns what it names."""

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml

from scraper.project.init import init
from tests.helpers.commands import called
from tests.helpers.dvc import repro, stale
from tests.helpers.project import share_rendered, small_params

MODEL = "d1k-gemnet"


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory, rendered: Path, pipeline: Path) -> Path:
    """A new project with one dataset and one recipe. What takes long is memoised, as after an earlier run."""
    folder = tmp_path_factory.mktemp("own") / "gems"
    init(folder)
    share_rendered(rendered, folder)
    for memo in ("crop.sqlite", "measure.sqlite"):
        shutil.copy(pipeline / ".cache" / memo, folder / ".cache")
    params = {**small_params(), "datasets": ["d1k"], "recipes": ["gemnet"]}
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    return folder


def change_lock(folder: Path, key: str, value: str) -> None:
    """Set a value of the lock, as an earlier version of the package would have written it."""
    lock = folder / "gemscrape.lock"
    text, count = re.subn(rf"^  {key}: .*$", f"  {key}: {value}", lock.read_text(), flags=re.MULTILINE)
    assert count == 1
    lock.write_text(text)


@pytest.mark.timeout(600)
def test_the_demo_runs_and_an_upgrade_reruns_what_it_names(clone: Path) -> None:
    ran = repro(clone)
    assert ran == {
        *("crawl@demo", "measure@demo", "clean", "crop", "steps", "split", "balance@d1k", "network@gemnet"),
        *(f"train@{MODEL}", f"evaluate@{MODEL}", "report@d1k"),
    }
    assert 0 <= json.loads((clone / "metrics/d1k/gemnet.json").read_text())["top1"] <= 1
    assert (clone / "reports/training-d1k.html").stat().st_size > 0

    change_lock(clone, "jin2022-resnet50", '"older"')
    assert stale(clone) == set(), "no stage of the project uses this recipe"

    change_lock(clone, "split", "0")
    change_lock(clone, "gemnet", '"older"')
    assert stale(clone) == {"split", "network@gemnet", f"train@{MODEL}"}
    assert called("gemscrape", "upgrade", cwd=clone).stdout.splitlines()[:2] == [
        "split reruns: its version is 1, was 0.",
        "train reruns for gemnet: the recipe has changed.",
    ]
    assert stale(clone) == set(), "the lock is again the one that the results were made with"
