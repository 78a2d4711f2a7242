"""What a module imports, read from its source."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from gemkit import imports
from gemkit.imports import import_closure, imported_modules


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package `shop` whose module `a` a test fills; `b`, `c` and the folder `d` are empty."""
    monkeypatch.setattr(imports, "ROOT", tmp_path)
    monkeypatch.setattr(imports, "PACKAGES", {"shop"})
    for name in ("__init__", "b", "c", "d/__init__", "d/e"):
        path = tmp_path / f"shop/{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    imported_modules.cache_clear()
    yield tmp_path / "shop"
    imported_modules.cache_clear()


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import shop.b", {"b.py"}),
        ("import shop.b as other", {"b.py"}),
        ("from shop import b, c", {"b.py", "c.py"}),
        ("from shop.b import anything", {"b.py"}),
        ("from shop.b import *", {"b.py"}),
        ("from shop.d.e import x", {"d/__init__.py", "d/e.py"}),
        ("def f():\n    from shop import b", {"b.py"}),
        ("try:\n    import shop.b\nexcept ImportError:\n    import shop.c", {"b.py", "c.py"}),
        ("if TYPE_CHECKING:\n    import shop.b\nelse:\n    import shop.c", {"c.py"}),
        ("if not TYPE_CHECKING:\n    import shop.b", {"b.py"}),
        ("import os, numpy", set()),
    ],
)
def test_every_form_of_import_is_followed(package: Path, source: str, expected: set[str]) -> None:
    ast.parse(source)
    (package / "a.py").write_text(source)
    found = {path.relative_to("shop").as_posix() for path in import_closure("shop.a")}
    assert found == {"__init__.py", "a.py"} | expected


def test_imports_of_imports_are_followed_once(package: Path) -> None:
    (package / "a.py").write_text("import shop.b")
    (package / "b.py").write_text("import shop.c")
    (package / "c.py").write_text("import shop.a")
    assert {path.name for path in import_closure("shop.a")} == {"__init__.py", "a.py", "b.py", "c.py"}


def test_other_libraries_in_the_same_folder_are_not_followed(package: Path) -> None:
    """As in an installation, where torch is next to gemtrain."""
    (package.parent / "torch").mkdir()
    (package.parent / "torch/__init__.py").write_text("from . import nn")
    (package / "a.py").write_text("import torch")
    assert {path.name for path in import_closure("shop.a")} == {"__init__.py", "a.py"}


def test_a_relative_import_is_an_error(package: Path) -> None:
    (package / "a.py").write_text("from . import b")
    with pytest.raises(ValueError, match="relative import"):
        import_closure("shop.a")
