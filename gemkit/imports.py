"""Find the files of this project that a module imports, by parsing its source; nothing is imported."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

#: The folder that contains the packages of the project; in an installation, also all other libraries.
ROOT = Path(__file__).parents[1]
PACKAGES = frozenset({"gemkit", "scraper", "curation", "gemtrain", "benchmarks", "tools", "tests"})


def import_closure(module: str) -> set[Path]:
    """The files of a module and of everything it imports, also inside functions, relative to ROOT.

    Importing `a.b.c` runs `a/__init__.py` and `a/b/__init__.py`, so they and their imports count too. Imports
    under TYPE_CHECKING do not count. Modules that are only named at run time (importlib) are not found.
    Raises ValueError for a relative import.
    """
    found: set[Path] = set()
    waiting = [module]
    while waiting:
        for name in _with_packages(waiting.pop()):
            path = module_file(name)
            if path is not None and path not in found:
                found.add(path)
                waiting += imported_modules(path)
    return found


@cache
def imported_modules(path: Path) -> list[str]:
    """The modules of this project that a file imports, in source order."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return [name for name in _imported(tree) if module_file(name) is not None]


def module_file(name: str) -> Path | None:
    """The file of a module of this project, relative to ROOT; None if there is no such module."""
    path = Path(*name.split("."))
    if path.parts[0] not in PACKAGES:
        return None
    files = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in files if (ROOT / file).is_file()), None)


def _with_packages(name: str) -> Iterator[str]:
    parts = name.split(".")
    return (".".join(parts[:count]) for count in range(1, len(parts) + 1))


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError(f"line {node.lineno}: relative imports are not followed")
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            yield from _imported(ast.Module(node.orelse, []))
        else:
            yield from _imported(node)
