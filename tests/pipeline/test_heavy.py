"""The list of what makes a test heavy is up to date."""

import pkgutil

import pytest

from tests.helpers.heavy import CALLS


@pytest.mark.heavy
@pytest.mark.parametrize("name", sorted(CALLS))
def test_everything_that_makes_a_test_heavy_exists(name: str) -> None:
    pkgutil.resolve_name(name)
