"""`gemscrape init`: make a project that works with the installed package alone."""

import shlex
import shutil
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from gemkit.errors import UserError
from gemkit.extras import DISTRIBUTION
from gemkit.project import Project
from scraper.project.lock import installed_lock, lock_text
from scraper.project.pipeline import LOCK_FILE
from scraper.project.template import installed_pipeline, project_files

#: In .dvc/config, this lets DVC work in a folder that is in no git repository.
_NO_GIT = "[core]\n    no_scm = true\n"


@dataclass(frozen=True)
class NewProject:
    """A project that was made, and `repository`: whether git keeps it, and where."""

    project: Project
    repository: str

    def lines(self) -> list[str]:
        """What was done, and the next commands."""
        root = self.project.root
        return [
            f"Made a project in '{root}', {self.repository}. Next:",
            *(f"  {command}" for command in _next_commands(root)),
        ]


def init(folder: Path) -> NewProject:
    """Make a project with the demo store in a folder, which is created if needed. Nothing is overwritten.

    DVC works with git: unless a git repository keeps the folder already, one is made in it. Where git is not
    installed, DVC is told so. Raises UserError if one of the project's files exists.
    """
    pipeline = installed_pipeline()
    files = project_files()
    files["dvc.yaml"] = pipeline
    files[LOCK_FILE] = lock_text(installed_lock(pipeline))
    for name in ("params.yaml", *files):
        path = folder / name
        if path.exists() or path.parent.is_file():
            taken = path if path.exists() else path.parent
            raise UserError(f"'{taken}' already exists and is not overwritten; name another folder.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise UserError(f"'{folder}' cannot be made, because a file is in its path; name another.") from None
    if shutil.which("git") is None:
        repository = "without git, which is not installed"
        files[".dvc/config"] = files[".dvc/config"].replace("[core]\n", _NO_GIT, 1)
    elif _kept_by_git(folder):
        repository = "in the git repository around it"
    else:
        if _git(folder, "init", "--quiet") != 0:
            raise UserError(f"'git init' fails in '{folder}'; run it there to see why.")
        repository = "with a git repository of its own"
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return NewProject(Project(folder), repository)


def _kept_by_git(folder: Path) -> bool:
    """Whether the folder is in a git repository that does not ignore it."""
    return (
        _git(folder, "rev-parse", "--is-inside-work-tree") == 0
        and _git(folder, "check-ignore", "--quiet", ".") != 0
    )


def _git(folder: Path, *arguments: str) -> int:
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, check=False).returncode


def _next_commands(root: Path) -> list[str]:
    enter = [] if root.resolve() == Path.cwd() else [f"cd {shlex.quote(str(root))}"]
    install = [] if find_spec("dvc") and find_spec("torch") else [f"pip install '{DISTRIBUTION}[all]'"]
    return [*enter, *install, "dvc repro"]
