"""A stage of dvc.yaml depends exactly on the code that it imports and that can change its result."""

from pathlib import Path

import pytest
import yaml

from curation.cleaning.rules import rule_names
from gemkit.imports import import_closure
from tests.helpers.commands import ROOT

#: The entry module of each stage.
ENTRIES = {
    "measure": "curation.measurement.measure",
    "clean": "curation.cleaning.clean",
    "crop": "curation.cropping.crop",
    "steps": "curation.inspect.steps",
    "split": "curation.datasets.split",
    "balance": "curation.datasets.balance",
    "network": "gemtrain.models.fingerprint",
    "train": "gemtrain.training.train",
    "evaluate": "gemtrain.evaluation.evaluate",
    "report": "gemtrain.report.report",
}

#: Modules that stages import but that cannot change the values in their results: error messages, executors,
#: progress, the memo, the file format of tables, limits, names of types, the refusal of pixels of another
#: form, and how settings and records are read and validated.
NO_EFFECT = (
    "curation/params.py",
    "gemkit/__init__.py",
    "gemkit/arrays.py",
    "gemkit/errors.py",
    "gemkit/executor",
    "gemkit/extras.py",
    "gemkit/lazy.py",
    "gemkit/memo.py",
    "gemkit/params.py",
    "gemkit/progress.py",
    "gemkit/project.py",
    "gemkit/records.py",
    "gemkit/strict_model.py",
    "gemkit/tables.py",
    "gemkit/validation.py",
)

#: Folders that only show results. Only the stages that draw may import them.
DISPLAY = ("curation/inspect", "curation/report", "gemtrain/report")
DRAWING_STAGES = ("steps", "report")

#: Files that may import a module by a name that is only known at run time.
DYNAMIC_IMPORTS = {
    "curation/cleaning/rule_set.py",
    "gemkit/lazy.py",
    "gemtrain/models/lookup.py",
}

STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]


def code_of(stage: str) -> list[Path]:
    """The dependencies of a stage that are code of this project."""
    deps = STAGES[stage].get("do", STAGES[stage]).get("deps", [])
    packages = ("gemkit/", "scraper/", "curation/", "gemtrain/")
    return [Path(dep) for dep in deps if dep.startswith(packages) and "${" not in dep]


def closure_of(stage: str) -> set[Path]:
    """The files that a stage imports. `clean` also imports every rule, by its name."""
    files = import_closure(ENTRIES[stage])
    if stage == "clean":
        files = files.union(*(import_closure(f"curation.cleaning.rules.{name}") for name in rule_names()))
    return files


def without_effect(file: Path, stage: str) -> bool:
    """Whether the file cannot change the result of the stage."""
    if file.name == "__init__.py" and (len(file.parts) == 2 or not (ROOT / file).stat().st_size):
        return True
    # Tables of other packages are only validated when they are read.
    own = ENTRIES[stage].partition(".")[0]
    if file.name == "tables.py" and file.parts[0] != own:
        return True
    # `train` and `evaluate` depend on the output of the stage `network`, hashes of the recipe's network code.
    if file.is_relative_to("gemtrain/models"):
        return any(dep.startswith("data/networks/") for dep in STAGES[stage].get("do", STAGES[stage])["deps"])
    return any(file.is_relative_to(path) for path in NO_EFFECT)


def test_every_stage_with_code_has_an_entry() -> None:
    assert set(STAGES) == {"crawl", *ENTRIES}


@pytest.mark.parametrize("stage", ENTRIES)
def test_a_stage_depends_on_what_it_imports(stage: str) -> None:
    code = code_of(stage)
    missing = [
        str(file)
        for file in sorted(closure_of(stage))
        if not any(file.is_relative_to(dep) for dep in code) and not without_effect(file, stage)
    ]
    assert not missing, f"dvc.yaml: '{stage}' imports these files but does not depend on them"


@pytest.mark.parametrize("stage", ENTRIES)
def test_a_stage_depends_on_no_other_code(stage: str) -> None:
    files = closure_of(stage)
    unused = [
        str(dep)
        for dep in code_of(stage)
        if dep.suffix in ("", ".py") and not any(file.is_relative_to(dep) for file in files)
    ]
    assert not unused, f"dvc.yaml: '{stage}' depends on these paths but imports nothing from them"


def test_the_report_depends_on_its_frame_and_style() -> None:
    assert {Path("gemkit/base.html"), Path("gemkit/page.css")} <= set(code_of("report"))


@pytest.mark.parametrize("stage", [stage for stage in ENTRIES if stage not in DRAWING_STAGES])
def test_no_stage_imports_display_code(stage: str) -> None:
    assert not [file for file in closure_of(stage) if any(file.is_relative_to(folder) for folder in DISPLAY)]


def test_networks_are_made_of_hashed_code_only() -> None:
    infrastructure = import_closure("gemtrain.models.factory")
    for path in sorted((ROOT / "gemtrain/models").glob("*.py")):
        files = import_closure(f"gemtrain.models.{path.stem}") if path.stem != "__init__" else set()
        outside = [
            str(file)
            for file in files
            if not file.is_relative_to("gemtrain/models") and not without_effect(file, "train")
        ]
        assert not outside or path.stem == "fingerprint", f"{path.name} imports code that is not hashed"
    for stage in ("train", "evaluate"):
        models = {file for file in closure_of(stage) if file.is_relative_to("gemtrain/models")}
        assert models <= infrastructure, f"'{stage}' uses code that 'network' does not hash"


def test_only_known_files_import_by_name() -> None:
    found = {
        str(path.relative_to(ROOT))
        for package in ("gemkit", "scraper", "curation", "gemtrain")
        for path in (ROOT / package).rglob("*.py")
        if "import_module(" in path.read_text(encoding="utf-8")
    }
    assert found == DYNAMIC_IMPORTS


def test_a_crawl_depends_on_no_code() -> None:
    assert "deps" not in STAGES["crawl"]["do"]


def test_no_stage_depends_on_limits() -> None:
    for stage in STAGES.values():
        params = stage.get("do", stage).get("params", [])
        assert not [name for name in params if name.startswith("limits")]
