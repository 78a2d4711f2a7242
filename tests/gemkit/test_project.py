"""Where everything of a project is."""

import pickle
from pathlib import Path

import pytest

from gemkit.project import NotAProject, Project, current_project


def test_every_path_is_below_the_folder(tmp_path: Path):
    project = Project(tmp_path)
    paths = [
        value
        for name in dir(Project)
        if isinstance(getattr(Project, name), property) and isinstance(value := getattr(project, name), Path)
    ]
    paths += [project.raw("shop"), project.measured("shop"), project.model("d1k", "gemnet")]
    assert len(set(paths)) == len(paths) > 15
    assert all(path.is_relative_to(tmp_path) for path in paths)
    assert not any(tmp_path.iterdir())


def test_paths_of_files_are_relative_to_the_folder():
    assert Project("gems").path("labels/taxonomy.toml") == Path("gems/labels/taxonomy.toml")
    assert Project("gems").path("/data/links.csv") == Path("/data/links.csv")


def test_the_home_of_the_user_can_be_abbreviated(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", "/home/someone")
    assert Project("~/gems").root == Path("/home/someone/gems")


def test_by_default_it_is_the_current_folder():
    assert Project().raw("shop") == Path("data/raw/shop")
    assert pickle.loads(pickle.dumps(Project("gems"))) == Project("gems")


def test_a_folder_without_parameters_is_not_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotAProject, match="gemscrape init FOLDER") as error:
        current_project()
    assert str(tmp_path) in str(error.value) and error.value.folder == tmp_path
    assert current_project(Path("elsewhere.yaml")) == Project()
    (tmp_path / "params.yaml").touch()
    assert current_project() == Project()
