"""`gemscrape upgrade`: bring a project up to date with the installed package."""

from dataclasses import dataclass

from gemkit.params import load_params
from gemkit.project import Project
from scraper.project.lock import Lock, NewerLock, installed_lock, lock_text, read_lock, text_hash
from scraper.project.pipeline import LOCK_FILE, changed_stages
from scraper.project.template import installed_pipeline


@dataclass(frozen=True)
class Upgrade:
    """What an upgrade changed, and so what the next `dvc repro` runs.

    `gemscrape`: the installed version. `stages`: the old number, None for a new stage, and the new one.
    `recipes`: the project's recipes whose files have changed. `pipeline`: the stages whose entries in
    dvc.yaml were brought up to date. `edited`: the package's dvc.yaml has changed, but the project's was left
    alone, because the user has edited it.
    """

    gemscrape: str
    stages: dict[str, tuple[int | None, int]]
    recipes: list[str]
    pipeline: list[str]
    edited: bool

    def lines(self) -> list[str]:
        """The same in sentences."""
        lines = [
            f"{stage} reruns: its version is {new}, was {old}." if old is not None else f"{stage} is new."
            for stage, (old, new) in self.stages.items()
        ]
        lines += [f"train reruns for {name}: the recipe has changed." for name in self.recipes]
        lines += [f"{name} reruns: its entry in dvc.yaml has changed." for name in self.pipeline]
        if lines:
            lines.append("Stages after these rerun if their inputs change. Run 'dvc repro'.")
        if self.edited:
            lines.append(
                "Gemscrape has a new dvc.yaml, but yours is edited and was left alone; compare it with the "
                "one that 'gemscrape init' writes to an empty folder, and take over what you need."
            )
        return lines or [f"Nothing changes: the project is up to date with Gemscrape {self.gemscrape}."]


def upgrade(project: Project) -> Upgrade:
    """Write the installed versions of stages and recipes to the project's lock, and dvc.yaml unless edited.

    A dvc.yaml that is missing is written again.

    Raises UserError if the project has no valid lock, and NewerLock if a newer package wrote it.
    """
    pipeline = installed_pipeline()
    old, new = read_lock(project), installed_lock(pipeline)
    if any(number > new.stages.get(stage, 0) for stage, number in old.stages.items()):
        raise NewerLock(project.path(LOCK_FILE), old.gemscrape)
    used = load_params(project.params).get("recipes") or []
    refreshed, edited = _refresh_pipeline(project, old, pipeline)
    done = Upgrade(
        gemscrape=new.gemscrape,
        stages={
            stage: (old.stages.get(stage), number)
            for stage, number in new.stages.items()
            if number != old.stages.get(stage)
        },
        recipes=[name for name in used if old.recipes.get(name) != new.recipes.get(name)],
        pipeline=refreshed,
        edited=edited,
    )
    project.path(LOCK_FILE).write_text(lock_text(new), encoding="utf-8")
    return done


def _refresh_pipeline(project: Project, old: Lock, pipeline: str) -> tuple[list[str], bool]:
    """Write the pipeline of the installed package, if it is new, over one that the user has not edited.

    Returns the stages whose entries have changed, and whether the file was left alone because it is edited.
    """
    path = project.path("dvc.yaml")
    if not path.exists():
        path.write_text(pipeline, encoding="utf-8")
        return [], False
    current = path.read_text(encoding="utf-8")
    if text_hash(pipeline) == old.pipeline or current == pipeline:
        return [], False
    if text_hash(current) != old.pipeline:
        return [], True
    path.write_text(pipeline, encoding="utf-8")
    return changed_stages(current, pipeline), False
