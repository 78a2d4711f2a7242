"""HTML reports from Jinja templates, and how they format names, counts and tables."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

_SPACE = "\N{NO-BREAK SPACE}"


def render(template: Path, **values: object) -> str:
    """The text of a template, which may use those next to it and `base.html`, the frame of all pages.

    All values are escaped, except in Markdown (.md.j2). A name without a value raises UndefinedError.
    """
    environment = Environment(
        loader=FileSystemLoader([template.parent, Path(__file__).parent]),
        autoescape=select_autoescape(disabled_extensions=["md.j2"], default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"number": number, "percent": percent, "words": words, "counted": counted}
    return environment.get_template(template.name).render(values)


def number(value: float | None) -> str:
    """A whole number with thousands separators; other numbers with three significant digits."""
    if value is None or math.isnan(value):
        return "–"
    return f"{value:,.0f}" if value == round(value) else f"{value:,.3g}"


def percent(part: float, whole: float = 1) -> str:
    """A share in per cent, with a decimal below 10; never 0 % unless zero, never 100 % unless all."""
    if not whole:
        return "–"
    share = 100 * part / whole
    if share == 0:
        return f"0{_SPACE}%"
    if 0 < share < 0.1:
        return f"<{_SPACE}0.1{_SPACE}%"
    if 99.9 < share < 100:
        return f">{_SPACE}99.9{_SPACE}%"
    return f"{share:.0f}{_SPACE}%" if 10 <= share <= 99 or share == 100 else f"{share:.1f}{_SPACE}%"


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
