"""`gemscrape init` makes a whole project and overwrites nothing."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from gemkit.errors import UserError
from gemkit.imports import ROOT
from gemkit.project import Project
from scraper.project.init import init
from scraper.project.lock import installed_lock, read_lock
from scraper.project.template import installed_pipeline
from scraper.stores.config import load_site
from tests.helpers.commands import called

#: The files that are the checkout's own.
SAME = (
    ".dvc/.gitignore",
    ".dvcignore",
    ".gitattributes",
    ".gitignore",
    "labels/taxonomy.toml",
    "params.yaml",
)


def files(folder: Path) -> dict[str, bytes]:
    """All files of a folder but those of git."""
    paths = [path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.fixture
def without_git(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A PATH without git."""
    monkeypatch.setenv("PATH", str(tmp_path))


def test_a_project_holds_what_the_pipeline_needs(tmp_path: Path) -> None:
    made = called("gemscrape", "init", "shops/gems", cwd=tmp_path)
    folder = tmp_path / "shops/gems"
    found = files(folder)
    own = {".dvc/config", "dvc.yaml", "gemscrape.lock", "labels/decisions.csv", "sites/README.md"}
    assert set(found) == {*SAME, *own}
    assert found["labels/decisions.csv"] == b"sha256,decision,variety,note\n"
    assert found[".dvc/config"].startswith(b"[core]\n") and b"remote" not in found[".dvc/config"]
    assert {name: found[name] for name in SAME} == {name: (ROOT / name).read_bytes() for name in SAME}
    assert found["dvc.yaml"].decode() == installed_pipeline()
    assert read_lock(Project(folder)) == installed_lock(installed_pipeline())
    assert (folder / ".git").is_dir()
    assert made.stdout.splitlines() == [
        "Made a project in 'shops/gems', with a git repository of its own. Next:",
        "  cd shops/gems",
        "  dvc repro",
    ]


def test_the_current_folder_can_become_a_project(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    made = called("gemscrape", "init", ".", cwd=tmp_path)
    assert "cd " not in made.stdout
    assert (tmp_path / "params.yaml").is_file() and (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("name", [*SAME, "dvc.yaml", "gemscrape.lock", "sites/README.md"])
def test_no_file_is_overwritten(name: str, tmp_path: Path) -> None:
    existing = tmp_path / "gems" / name
    existing.parent.mkdir(parents=True)
    existing.write_text("mine")
    before = files(tmp_path)
    done = called("gemscrape", "init", "gems", cwd=tmp_path, expect=2)
    assert (
        done.stderr == f"error: 'gems/{name}' already exists and is not overwritten; name another folder.\n"
    )
    assert files(tmp_path) == before and not (tmp_path / "gems/.git").exists()


def test_a_file_is_not_a_folder(tmp_path: Path) -> None:
    (tmp_path / "gems").write_text("mine")
    with pytest.raises(UserError, match="gems' already exists"):
        init(tmp_path / "gems")
    with pytest.raises(UserError, match="gems/deep' cannot be made, because a file is in its path"):
        init(tmp_path / "gems/deep")


def test_a_file_with_the_name_of_a_folder_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "labels").write_text("mine")
    with pytest.raises(UserError, match="labels' already exists"):
        init(tmp_path)
    assert set(files(tmp_path)) == {"labels"}


def test_the_next_command_can_be_copied_whatever_the_folder_is_called(tmp_path: Path) -> None:
    assert "  cd 'my gems'" in called("gemscrape", "init", "my gems", cwd=tmp_path).stdout.splitlines()


def test_a_folder_that_git_keeps_gets_no_repository(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    made = init(tmp_path / "gems")
    assert made.lines()[0].endswith("in the git repository around it. Next:")
    assert not (tmp_path / "gems/.git").exists()


def test_a_folder_that_git_ignores_gets_a_repository(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    (tmp_path / ".gitignore").write_text("/gems/\n")
    init(tmp_path / "gems")
    assert (tmp_path / "gems/.git").is_dir()


@pytest.mark.usefixtures("without_git")
def test_without_git_dvc_keeps_no_history(tmp_path: Path) -> None:
    made = init(tmp_path / "gems")
    assert "without git, which is not installed" in made.lines()[0]
    assert not (tmp_path / "gems/.git").exists()
    config = (tmp_path / "gems/.dvc/config").read_text()
    assert re.search(r"^\[core\]\n    no_scm = true\n", config, re.MULTILINE)


def test_every_recipe_and_label_file_of_the_parameters_is_in_the_project(tmp_path: Path) -> None:
    init(tmp_path)
    params = yaml.safe_load((tmp_path / "params.yaml").read_text(encoding="utf-8"))
    assert set(params["recipes"]) <= set(read_lock(Project(tmp_path)).recipes)
    assert all((tmp_path / params["clean"][key]).is_file() for key in ("taxonomy", "decisions"))


def test_the_example_of_a_site_is_valid(tmp_path: Path) -> None:
    init(tmp_path)
    text = (tmp_path / "sites/README.md").read_text(encoding="utf-8")
    site = tmp_path / "sites/my_store.toml"
    site.write_text(text.partition("```toml\n")[2].partition("```")[0])
    (tmp_path / "sites/my_store.csv").write_text("class,image_url\nRuby,https://images.example.com/1.jpg\n")
    assert load_site(str(site)).title == "My store"


def test_dvc_is_asked_for_where_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scraper.project.init.find_spec", lambda _: None)
    made = init(tmp_path / "gems")
    assert "  pip install 'gemscrape[all]'" in made.lines()


def test_the_template_has_no_second_copy_of_a_file() -> None:
    folder = ROOT / "scraper/project/template"
    own = {path.name for path in folder.iterdir() if not path.is_symlink()}
    assert own == {"decisions.csv", "dvc-config", "sites.md"}
