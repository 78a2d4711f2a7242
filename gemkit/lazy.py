"""Import what a package offers on its first use: heavy libraries would slow down every command."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from gemkit.errors import needs_extra


def lazy_exports(
    package: str, modules: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The `__getattr__` and `__dir__` of a package; `modules` maps each name that it offers to its module.

    Notebooks complete the names that `__dir__` lists. A name whose module needs a library of an extra that is
    not installed raises MissingExtra.
    """

    def load(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        with needs_extra(f"'{package}.{name}'", package):
            return getattr(import_module(modules[name]), name)

    return load, lambda: sorted(modules)
