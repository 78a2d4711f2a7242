"""The layout in docs/architecture.md: imports go one way between packages and downwards inside them."""

import ast
import functools
from pathlib import Path

import pytest

from gemkit.imports import imported_modules, module_file
from tests.helpers.commands import ROOT

#: A package imports only packages before it; inside a package, so do its modules and folders.
PACKAGES: dict[str, list[str]] = {
    "gemkit": [],
    "scraper": [
        "tables", "http", "stores", "params", "storage", "monitoring", "demo_store", "crawling", "project",
        "cli",
    ],
    "curation": [
        "tables", "params", "imaging", "taxonomy", "features", "measurement", "content", "cleaning",
        "cropping", "datasets", "inspect", "report", "cli",
    ],
    "gemtrain": [
        "tables", "device", "recipe", "recipe_list", "models", "data", "scoring", "model_metadata",
        "model_store", "training", "evaluation", "importers", "inference", "report", "export", "cli",
        "__main__",
    ],
    "benchmarks": [],
    "tools": [],
}  # fmt: skip


#: Longer files have more than one responsibility.
MAX_LINES = 400


def modules(package: str) -> dict[str, Path]:
    """The files of a package, relative to the project, by module name."""
    files = sorted((ROOT / package).rglob("*.py"))
    return {
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file.relative_to(
            ROOT
        )
        for file in files
    }


@functools.cache
def imports(package: str) -> list[tuple[str, str]]:
    """Pairs (module, imported module), including imports inside functions."""
    return [
        (name, other)
        for name, path in modules(package).items()
        for other in imported_modules(path)
        if module_file(other) != path
    ]


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_import_one_way(package: str) -> None:
    order = list(PACKAGES)
    allowed = order[: order.index(package) + 1]
    wrong = [(name, other) for name, other in imports(package) if other.partition(".")[0] not in allowed]
    assert not wrong


@pytest.mark.parametrize("package", [package for package, layers in PACKAGES.items() if layers])
def test_folders_import_downwards(package: str) -> None:
    layers = PACKAGES[package]
    present = {path.stem for path in (ROOT / package).iterdir() if path.suffix == ".py" or modules_in(path)}
    assert present - {"__init__"} == set(layers), "PACKAGES is out of date"

    def layer(module: str) -> int | None:
        inside = module.split(".")[1:2]
        return layers.index(inside[0]) if inside else None

    wrong = [
        (name, other)
        for name, other in imports(package)
        if other.startswith(f"{package}.")
        and (above := layer(other)) is not None
        and (own := layer(name)) is not None
        and above > own
    ]
    assert not wrong


def modules_in(folder: Path) -> bool:
    return (folder / "__init__.py").is_file()


@pytest.mark.parametrize("package", PACKAGES)
def test_no_circular_imports(package: str) -> None:
    graph: dict[str, set[str]] = {}
    for name, other in imports(package):
        if other.partition(".")[0] == package:
            graph.setdefault(name, set()).add(other)
    left = set(graph)
    while leaves := {name for name in left if not graph[name] & left}:
        left -= leaves
    assert not left, f"circular imports: {sorted(left)}"


def is_test_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split(".")).with_suffix(".py")
    return path.is_file() and path.stem.startswith(("test_", "conftest"))


def test_test_modules_import_no_test_module() -> None:
    wrong = []
    for path in (ROOT / "tests").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names += [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
            wrong += [(path.name, name) for name in names if is_test_module(name)]
    assert not wrong


def test_no_file_is_too_long() -> None:
    folders = [*PACKAGES, "tests"]
    lines = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
    }
    assert not {path: count for path, count in lines.items() if count > MAX_LINES}
