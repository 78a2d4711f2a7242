"""Render the page from `page.html` and the templates next to it with Jinja; all text is escaped."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from gemkit.html import counted, style, words

_FOLDER = Path(__file__).parent
_SPACE = "\N{NO-BREAK SPACE}"


def render(sections: Mapping[str, Any]) -> str:
    """The page with these sections, by name."""
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"number": number, "percent": percent, "words": words, "counted": counted}
    return environment.get_template("page.html").render(style=Markup(style()), **sections)


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
