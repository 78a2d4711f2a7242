"""`gemscrape upgrade` says which stages rerun, and why."""

from pathlib import Path

import pytest

from gemkit.errors import UserError
from gemkit.project import Project
from scraper.project.init import init
from scraper.project.lock import Lock, NewerLock, installed_lock, lock_text, read_lock, text_hash
from scraper.project.template import installed_pipeline
from scraper.project.upgrade import upgrade
from tests.helpers.commands import called


@pytest.fixture
def made(tmp_path: Path) -> Project:
    """A new project."""
    return init(tmp_path / "gems").project


def current() -> Lock:
    """The lock of the package."""
    return installed_lock(installed_pipeline())


def write_lock(project: Project, lock: Lock) -> None:
    """Make it the project's."""
    (project.root / "gemscrape.lock").write_text(lock_text(lock))


def write_pipeline(project: Project, text: str) -> None:
    """Make it the project's, as if an earlier package had written it."""
    (project.root / "dvc.yaml").write_text(text)
    write_lock(project, current().replace(pipeline=text_hash(text)))


def test_a_new_project_is_up_to_date(made: Project) -> None:
    before = (made.root / "gemscrape.lock").read_bytes()
    done = called("gemscrape", "upgrade", cwd=made.root)
    assert (
        done.stdout == f"Nothing changes: the project is up to date with Gemscrape {current().gemscrape}.\n"
    )
    assert (made.root / "gemscrape.lock").read_bytes() == before


def test_stages_with_a_new_number_rerun(made: Project) -> None:
    older = {**current().stages, "crop": 0}
    del older["steps"]
    write_lock(made, current().replace(gemscrape="0.0.1", stages=older))
    done = upgrade(made)
    assert done.stages == {"crop": (0, 1), "steps": (None, 1)}
    assert done.lines()[:2] == ["crop reruns: its version is 1, was 0.", "steps is new."]
    assert read_lock(made) == current()
    assert upgrade(made).stages == {}


def test_the_project_s_own_recipes_rerun_when_they_change(made: Project) -> None:
    write_lock(made, current().replace(recipes={**current().recipes, "gemnet": "0", "jin2022-resnet50": "0"}))
    done = upgrade(made)
    assert done.recipes == ["gemnet"], "the other one is not in the project's parameters"
    assert "train reruns for gemnet: the recipe has changed." in done.lines()
    assert read_lock(made) == current()


def test_an_unedited_pipeline_is_refreshed(made: Project) -> None:
    write_pipeline(made, installed_pipeline().replace("gemcurate split", "gemcurate split --old"))
    done = upgrade(made)
    assert done.pipeline == ["split"]
    assert "split reruns: its entry in dvc.yaml has changed." in done.lines()
    assert (made.root / "dvc.yaml").read_text() == installed_pipeline()
    assert upgrade(made).pipeline == []


def test_an_edited_pipeline_is_left_alone_and_said_so_once(made: Project) -> None:
    old = installed_pipeline().replace("gemcurate split", "gemcurate split --old")
    write_pipeline(made, old)
    edited = old + "  mine:\n    cmd: echo\n"
    (made.root / "dvc.yaml").write_text(edited)
    done = upgrade(made)
    assert done.edited and done.pipeline == []
    assert "gemscrape init" in done.lines()[-1]
    assert (made.root / "dvc.yaml").read_text() == edited
    assert not upgrade(made).edited


def test_an_edited_pipeline_matters_only_when_the_package_s_has_changed(made: Project) -> None:
    (made.root / "dvc.yaml").write_text(installed_pipeline() + "# mine\n")
    assert not upgrade(made).edited


def test_a_missing_pipeline_is_written_again(made: Project) -> None:
    (made.root / "dvc.yaml").unlink()
    write_lock(made, current().replace(pipeline="0"))
    assert not upgrade(made).edited
    assert (made.root / "dvc.yaml").read_text() == installed_pipeline()


def test_a_newer_lock_is_refused(made: Project) -> None:
    write_lock(made, current().replace(gemscrape="9.0", stages={**current().stages, "crop": 2}))
    before = (made.root / "gemscrape.lock").read_bytes()
    with pytest.raises(NewerLock, match=r"written by Gemscrape 9\.0, has newer stages") as error:
        upgrade(made)
    assert error.value.written_by == "9.0"
    assert (made.root / "gemscrape.lock").read_bytes() == before


def test_a_lock_with_an_unknown_stage_is_newer(made: Project) -> None:
    write_lock(made, current().replace(gemscrape="9.0", stages={**current().stages, "doubt": 1}))
    with pytest.raises(NewerLock):
        upgrade(made)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: [", "is not valid YAML"),
        ("stages: {crop: x}", "restore it from git"),
        ("", "restore it from git"),
    ],
)
def test_a_damaged_lock_is_refused(made: Project, content: str, message: str) -> None:
    (made.root / "gemscrape.lock").write_text(content)
    with pytest.raises(UserError, match=message):
        upgrade(made)


def test_only_a_made_project_can_be_upgraded(workspace: Path) -> None:
    done = called("gemscrape", "upgrade", cwd=workspace, expect=2)
    assert "'gemscrape.lock' does not exist; only a project made by 'gemscrape init' has one." in done.stderr


def test_outside_a_project_the_sentence_names_init(tmp_path: Path) -> None:
    assert "gemscrape init" in called("gemscrape", "upgrade", cwd=tmp_path, expect=2).stderr
