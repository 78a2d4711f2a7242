"""The pipeline of a project: that of the checkout, with versions of stages in place of folders of code."""

from pathlib import PurePosixPath
from typing import Any

LOCK_FILE = "gemscrape.lock"

_PACKAGES = ("gemkit", "scraper", "curation", "gemtrain")
_RECIPES = PurePosixPath("gemtrain/recipes")
_HEADER = f"""\
# The pipeline of Gemscrape. A stage depends on its version in {LOCK_FILE}. 'gemscrape upgrade' brings both up
# to date with the installed Gemscrape, but leaves this file alone if you have edited it.
"""


def project_pipeline(text: str) -> str:
    """The dvc.yaml of a project, made from the text of the checkout's.

    A stage that depends on code depends on `stages.<stage>` of the lock instead, and one that depends on a
    recipe's file on `recipes.<recipe>`.
    """
    import yaml

    pipeline = yaml.safe_load(text)
    for name, stage in pipeline["stages"].items():
        _replace_code(name, stage.get("do", stage))
    return _HEADER + yaml.dump(pipeline, Dumper=_dumper(), sort_keys=False, width=110, allow_unicode=True)


def changed_stages(old: str, new: str) -> list[str]:
    """The stages whose entries differ between the texts of two pipelines, in the order of the new one."""
    import yaml

    before, after = (yaml.safe_load(text)["stages"] for text in (old, new))
    return [name for name in after if after[name] != before.get(name)]


def _replace_code(name: str, stage: dict[str, Any]) -> None:
    deps = [PurePosixPath(dep) for dep in stage.get("deps", [])]
    code = [dep for dep in deps if dep.parts[0] in _PACKAGES]
    if not code:
        return
    stage["deps"] = [str(dep) for dep in deps if dep not in code]
    recipes = [f"recipes.{dep.stem}" for dep in code if dep.parent == _RECIPES]
    stage["params"] = [*stage.get("params", []), {LOCK_FILE: [f"stages.{name}", *recipes]}]
    if not stage["deps"]:
        del stage["deps"]


def _dumper() -> Any:
    """PyYAML's dumper, which indents the entries of a list as the checkout's file does."""
    import yaml

    class Dumper(yaml.SafeDumper):
        def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
            super().increase_indent(flow, False)

    return Dumper
