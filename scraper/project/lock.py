"""gemscrape.lock: with which versions of the stages and with which recipes a project's results were made."""

import hashlib
from importlib.metadata import version
from pathlib import Path

from gemkit.errors import UserError
from gemkit.extras import DISTRIBUTION
from gemkit.imports import ROOT
from gemkit.params import read_yaml
from gemkit.project import Project
from gemkit.strict_model import StrictModel
from gemkit.validation import validate
from scraper.project.pipeline import LOCK_FILE
from scraper.project.stage_versions import STAGE_VERSIONS

_RECIPES = ROOT / "gemtrain/recipes"
_HEADER = """\
# What this project's results were made with. DVC reruns the stages that depend on a changed line.
# 'gemscrape upgrade' writes it; keep it under git.
"""


class Lock(StrictModel):
    """The content of the file.

    `gemscrape`: the version of the package that wrote it. `pipeline`: the hash of its dvc.yaml for projects.
    `stages`: a version by stage. `recipes`: a hash of the file by recipe.
    """

    gemscrape: str
    pipeline: str
    stages: dict[str, int]
    recipes: dict[str, str]


class NewerLock(UserError):
    """A project was made or upgraded by a newer Gemscrape than the installed one."""

    kind = "newer_lock"

    def __init__(self, path: Path, written_by: str):
        super().__init__(
            f"'{path}', written by Gemscrape {written_by}, has newer stages than the installed Gemscrape "
            f"{version(DISTRIBUTION)}; update that with: pip install --upgrade {DISTRIBUTION}"
        )
        self.path, self.written_by = path, written_by


def installed_lock(pipeline: str) -> Lock:
    """The lock of the installed package, whose pipeline for projects is given as text."""
    return Lock(
        gemscrape=version(DISTRIBUTION),
        pipeline=text_hash(pipeline),
        stages=STAGE_VERSIONS,
        recipes={path.stem: _hash(path.read_bytes()) for path in sorted(_RECIPES.glob("*.toml"))},
    )


def read_lock(project: Project) -> Lock:
    """The lock of a project. Raises UserError for a missing or invalid one."""
    path = project.path(LOCK_FILE)
    try:
        values = read_yaml(path)
    except FileNotFoundError:
        raise UserError(
            f"'{path}' does not exist; only a project made by 'gemscrape init' has one."
        ) from None
    return validate(Lock, values, path, remedy="restore it from git")


def lock_text(lock: Lock) -> str:
    """The lock as YAML. Strings are quoted: DVC would read 12e4567 as a number."""
    return "".join(
        [
            _HEADER,
            f'gemscrape: "{lock.gemscrape}"\n',
            f'pipeline: "{lock.pipeline}"\n',
            "stages:\n",
            *(f"  {stage}: {number}\n" for stage, number in lock.stages.items()),
            "recipes:\n",
            *(f'  {recipe}: "{digest}"\n' for recipe, digest in lock.recipes.items()),
        ]
    )


def text_hash(text: str) -> str:
    """The hash of a text, as the lock writes it."""
    return _hash(text.encode())


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
