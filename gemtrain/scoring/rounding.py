"""Round numbers for files."""

from typing import Any


def rounded(value: Any) -> Any:
    """A value with all floats inside its lists and mappings rounded to four decimals."""
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(inner) for inner in value]
    return round(value, 4) if isinstance(value, float) else value
