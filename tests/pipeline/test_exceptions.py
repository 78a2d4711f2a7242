"""All exceptions of the packages form one tree, which docs/architecture.md shows."""

import copy
import importlib
import pickle
import pkgutil
import re
from pathlib import Path

import pytest

from gemkit.errors import GemscrapeError
from scraper.http.reason import Reason
from scraper.tables import ImageStatus, ReasonKind
from tests.helpers.commands import ROOT

SECTION = (ROOT / "docs/architecture.md").read_text(encoding="utf-8").partition("## Exceptions\n")[2]
#: Class, kind and base of each exception in the table of the docs.
DOCUMENTED = re.findall(r"^\| `(\w+)` \| `(\w+)` \| `(\w+)` \|", SECTION.partition("\n## ")[0], re.MULTILINE)


@pytest.fixture(scope="module")
def exceptions() -> list[type[Exception]]:
    """The exception classes that the packages define."""
    found = {}
    for package in ("gemkit", "scraper", "curation", "gemtrain"):
        path = importlib.import_module(package).__path__
        for module in pkgutil.walk_packages(path, f"{package}."):
            if module.name.endswith("__main__"):
                continue
            for value in vars(importlib.import_module(module.name)).values():
                if (
                    isinstance(value, type)
                    and issubclass(value, Exception)
                    and value.__module__ == module.name
                ):
                    found[value.__qualname__] = value
    return list(found.values())


def test_every_exception_belongs_to_the_tree(exceptions: list[type[Exception]]) -> None:
    assert exceptions and all(issubclass(exception, GemscrapeError) for exception in exceptions)


def test_the_docs_show_the_whole_tree(exceptions: list[type[GemscrapeError]]) -> None:
    defined = {
        (exception.__name__, exception.kind, exception.__base__.__name__)  # type: ignore[union-attr]
        for exception in exceptions
        if exception is not GemscrapeError
    }
    assert defined == set(DOCUMENTED)


def test_every_exception_has_a_kind_and_a_docstring_of_its_own(
    exceptions: list[type[GemscrapeError]],
) -> None:
    kinds = [exception.kind for exception in exceptions if exception is not GemscrapeError]
    assert len(set(kinds)) == len(kinds)
    assert all(exception.__doc__ for exception in exceptions)


REASON = Reason(ReasonKind.TIMEOUT, "timeout")

#: Arguments of the exceptions that take other ones than a message.
ARGUMENTS = {
    "BatchTooLarge": ["a stage"],
    "Blocked": ["shop.test", 2e9, REASON],
    "FetchError": [ImageStatus.FAILED, REASON],
    "IncompleteModel": [Path("model.json"), "the key 'seed' is missing", "gemtrain train"],
    "InvalidImage": [ReasonKind.EMPTY, "empty"],
    "MissingData": ["gems", "crawl.gems.folder", Path("gems"), "a publication"],
    "MissingExtra": ["The demo store", "curate", "cv2"],
    "NewerLock": [Path("gemscrape.lock"), "9.0"],
    "NotAProject": [Path("gems")],
    "OutdatedModel": [Path("model.json"), "gemtrain train"],
    "Postponed": [REASON],
    "TooLarge": [9],
    "TooManyPixels": [20_000, 30_000],
    "TransientError": [REASON, 3.0],
    "UnknownFormat": ["a PDF"],
    "WeightsUnavailable": ["offline"],
}


def test_copies_of_exceptions_are_equal(exceptions: list[type[GemscrapeError]]) -> None:
    with_arguments = {exception.__name__ for exception in exceptions if "__init__" in vars(exception)}
    assert with_arguments == set(ARGUMENTS)
    for exception in exceptions:
        error = exception(*ARGUMENTS.get(exception.__name__, ["a message"]))
        pickled = [pickle.loads(pickle.dumps(error, protocol)) for protocol in range(6)]
        for copied in (*pickled, copy.copy(error), copy.deepcopy(error)):
            assert type(copied) is exception
            assert (copied.args, str(copied), vars(copied)) == (error.args, str(error), vars(error))
