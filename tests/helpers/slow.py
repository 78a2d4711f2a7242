"""Leave most cases of a parametrised test to `make test-slow`."""

from collections.abc import Iterable
from typing import Any

import pytest


def others_slow(values: Iterable[Any], *kept: Any) -> list[Any]:
    """The values of one argument for `parametrize`; all but the `kept` ones are slow."""
    return [value if value in kept else pytest.param(value, marks=pytest.mark.slow) for value in values]
