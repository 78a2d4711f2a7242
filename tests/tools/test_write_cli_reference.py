"""The reference of the commands is up to date."""

import pytest

from tools.write_cli_reference import PAGE, reference


@pytest.mark.heavy
def test_the_reference_is_what_the_commands_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), "run 'python -m tools.write_cli_reference'"
