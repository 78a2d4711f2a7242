"""The extras in pyproject.toml cover what each package imports, and a missing library names its extra."""

import ast
import functools
import re
import sys
import tomllib
from collections.abc import Mapping
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from gemkit.errors import MissingExtra, needs_extra, run_command
from gemkit.extras import extra_with, extras_with, normalised
from gemkit.imports import ROOT, import_closure
from gemkit.lazy import lazy_exports

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS: Mapping[str, list[str]] = PROJECT["optional-dependencies"]
#: The requirements as the metadata of the installed distribution writes them.
REQUIREMENTS = [
    *PROJECT["dependencies"],
    *(f'{line}; extra == "{extra}"' for extra, lines in EXTRAS.items() for line in lines),
]

#: Modules that come with a library of the base installation, which is made to be used with them.
COMPANIONS = {"pydantic_core", "soupsieve", "urllib3"}
PACKAGES = ("gemkit", "scraper", "curation", "gemtrain")
#: The extras that these modules and all that they import need, next to the base installation.
ENTRIES: dict[str, set[str]] = {
    "scraper.stores.config": set(),
    "scraper.storage.export": set(),
    "scraper.stores.image_folder": set(),
    "gemtrain.recipe_list": set(),
    "scraper.cli": {"curate"},
    "curation.cli": {"curate"},
    "gemtrain.training.train": {"train"},
    "gemtrain.evaluation.evaluate": {"train"},
    "gemtrain.report.report": {"train"},
    "gemtrain.export.export": {"train"},
    "gemtrain.cli": {"curate", "train"},
}


@pytest.fixture(autouse=True)
def metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    """The metadata of this pyproject.toml, whatever is installed."""
    monkeypatch.setattr("importlib.metadata.requires", lambda _: REQUIREMENTS)


@functools.cache
def libraries(entry: str) -> frozenset[str]:
    """The modules of other distributions that a module and everything it imports import."""
    found = set().union(*map(top_level_imports, import_closure(entry)))
    return frozenset(found - sys.stdlib_module_names - {*PACKAGES, "_typeshed"})


@functools.cache
def top_level_imports(file: Path) -> set[str]:
    """The first parts of the names that a file imports."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(str(node.module).partition(".")[0])
    return found


@pytest.fixture(scope="module")
def installed() -> Mapping[str, list[str]]:
    """The distributions of each importable module; to find them takes long."""
    return packages_distributions()


def distribution(requirement: str) -> str:
    """The name of the distribution in a requirement."""
    return normalised(re.split(r"[\[<>=;]", requirement)[0])


@pytest.mark.parametrize("entry", ENTRIES)
def test_the_extras_install_what_is_imported(entry: str, installed: Mapping[str, list[str]]) -> None:
    base = {distribution(line) for line in PROJECT["dependencies"]}
    missing = {
        module
        for module in libraries(entry) - COMPANIONS
        if base.isdisjoint(map(normalised, installed[module]))
        and ENTRIES[entry].isdisjoint(extras_with(module, REQUIREMENTS))
    }
    assert not missing


def test_modules_are_found_by_the_names_of_their_distributions(installed: Mapping[str, list[str]]) -> None:
    for module in set().union(*map(libraries, ENTRIES)):
        for extra in extras_with(module, REQUIREMENTS):
            names = {distribution(line) for line in EXTRAS[extra]}
            assert names & set(map(normalised, installed[module])), module


def test_all_is_every_extra_but_those_of_developers() -> None:
    assert EXTRAS["all"] == ["gemscrape[curate,train]"]
    assert set(EXTRAS) == {"all", "curate", "train", "test", "bench"}


@pytest.mark.parametrize(
    ("module", "package", "extra"),
    [
        ("cv2", "curation", "curate"),
        ("cv2", "gemcurate", "curate"),
        ("cv2", "scraper", "curate"),
        ("cv2", "gemtrain", "train"),
        ("torch", "gemtrain", "train"),
        ("sklearn", "gemtrain", "train"),
        ("rembg", "gemtrain", "curate"),
        ("huggingface_hub", "gemtrain", "train"),
        ("pyarrow", "gemtrain", None),
        ("os_of_another_planet", "curation", None),
    ],
)
def test_a_module_belongs_to_an_extra(module: str, package: str, extra: str | None) -> None:
    assert extra_with(module, package) == extra


@pytest.mark.parametrize("script", ["/bin/gemtrain", "/lib/gemtrain/__main__.py"])
def test_a_command_names_the_extra_that_it_needs(
    script: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [script, "predict", "stone.jpg"])
    monkeypatch.setattr("gemkit.errors.signal.signal", lambda *_: None)

    def app() -> None:
        raise ModuleNotFoundError("No module named 'cv2'", name="cv2.typing")

    with pytest.raises(SystemExit) as end:
        run_command(app)
    assert end.value.code == 2
    sentence = "'gemtrain predict' needs the extra 'train'; install it with: pip install 'gemscrape[train]'"
    assert capsys.readouterr().err == f"error: {sentence}\n"


def test_a_function_names_the_extra_that_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    load, _ = lazy_exports("curation", {"measure": "cv2"})
    with pytest.raises(MissingExtra, match=r"'curation\.measure' needs the extra 'curate'") as error:
        load("measure")
    assert (error.value.user, error.value.extra, error.value.module) == (
        "'curation.measure'",
        "curate",
        "cv2",
    )


def test_other_missing_modules_keep_their_traceback() -> None:
    with pytest.raises(ModuleNotFoundError, match="gone"), needs_extra("This", "curation"):
        raise ModuleNotFoundError("No module named 'gone'", name="gone")
