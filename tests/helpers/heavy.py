"""Find the tests that are too heavy for `make test-fast`, by what they use."""

from collections.abc import Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

import pytest

#: Fixtures that render, crawl, train, run pip, or start a browser or DVC.
FIXTURES = {"browser", "clone", "committed", "crawled", "gems", "offline", "pipeline", "project", "rendered"}

#: Modules, functions and classes that start a server or a process, train, or may download weights.
CALLS = {
    "benchmarks.crawling._broken_shop.serve",
    "curation.cropping.crop.crop",
    "curation.cropping.rembg_model.soft_mask",
    "curation.cropping.rembg_weights.fetch",
    "curation.measurement.measure.measure",
    "gemtrain.training.train.train",
    "http.server.ThreadingHTTPServer",
    "psutil",
    "scraper.demo_store.server.start",
    "subprocess",
    "tests.helpers.commands.command",
    "tests.helpers.commands.start",
    "tests.helpers.crawl_shop.Shop",
}


def is_heavy(item: pytest.Function) -> bool:
    """Whether a test uses one of FIXTURES or, directly or through its module's helpers, one of CALLS."""
    if not FIXTURES.isdisjoint(item.fixturenames):
        return True
    fixtures = [definitions[-1].func for definitions in item._fixtureinfo.name2fixturedefs.values()]
    return any(not CALLS.isdisjoint(_used(function, set())) for function in (item.function, *fixtures))


def _used(function: Any, seen: set[Any]) -> Iterator[str]:
    """Qualified names of the global objects that a function refers to, also through functions of `tests`."""
    function = getattr(function, "__wrapped__", function)
    if not isinstance(function, FunctionType) or function in seen:
        return
    seen.add(function)
    for name in _names(function.__code__):
        used = function.__globals__.get(name)
        if isinstance(used, ModuleType):
            yield used.__name__
        elif used is not None:
            module = str(getattr(used, "__module__", ""))
            yield f"{module}.{getattr(used, '__qualname__', name)}"
            if module.startswith("tests."):
                yield from _used(used, seen)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
