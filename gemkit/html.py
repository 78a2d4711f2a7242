"""Shared by all HTML reports: their style sheet, and how they format names, counts and tables."""

from collections.abc import Iterable, Sequence
from pathlib import Path


def style() -> str:
    """The CSS of every page."""
    return Path(__file__).with_name("page.css").read_text(encoding="utf-8")


def words(name: str) -> str:
    """Turn a column or parameter name into words."""
    return name.replace("_", " ")


def counted(count: int, one: str, many: str | None = None) -> str:
    """'1 image', '1,234 images'."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table whose first column is left-aligned and whose others are right-aligned."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    lines = [[cell.replace("|", r"\|") for cell in line] for line in (head, rule, *rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
