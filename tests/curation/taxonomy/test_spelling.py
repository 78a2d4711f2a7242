"""Normalisation is idempotent."""

import pytest

from curation.taxonomy.spelling import normalise


@pytest.mark.heavy
def test_normalising_is_idempotent() -> None:
    for code in range(0x20000):
        form = normalise(f"a{chr(code)}s")
        assert normalise(form) == form, hex(code)
