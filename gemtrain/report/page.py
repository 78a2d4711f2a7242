"""Build HTML from values: everything that is not `Html` is escaped."""

import base64
import html
from collections.abc import Container, Iterable, Sequence
from pathlib import Path
from typing import Any

from gemkit.errors import UserError
from gemkit.html import style

_OWN_STYLE = """
.plot img { display: block; background: #fff; border-radius: 8px; max-width: 100%; height: auto; }
.plot.large img { max-width: none; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(440px, 100%), 1fr)); gap: 20px; }
.called-out { background: var(--dropped-ground); border-radius: 8px; padding: 12px 16px; max-width: none; }
.range { color: var(--quiet); font-size: .86em; white-space: nowrap; }
td.n .range { display: block; }
dl.words dt { font-weight: 600; margin-top: .7em; } dl.words dd { margin: 0; max-width: 72ch; }
@media (max-width: 640px) { .plot:not(.large) img { max-width: none; width: 560px; } }
"""

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>
{style}
</style>
</head>
<body>
{body}
</body>
</html>
"""


class Html(str):
    """Text that is already HTML."""


def fill(template: str, **values: Any) -> Html:
    """The template with `{name}` replaced; lists are joined, and everything but Html is escaped."""
    return Html(template.format_map({name: _escaped(value) for name, value in values.items()}))


def page(title: str, body: Html) -> str:
    """A whole self-contained page, which loads nothing from outside."""
    return fill(_PAGE, title=title, style=Html(style() + _OWN_STYLE), body=body)


def table(header: Sequence[str], rows: Iterable[Sequence[Any]], numbers: Container[int]) -> Html:
    """A table that scrolls if it is too wide; `numbers` are the columns of numbers, from 0."""

    def line(cells: Sequence[Any], name: str) -> Html:
        made = [
            fill(
                "<{name}{kind}>{cell}</{name}>",
                name=name,
                kind=Html(' class="n"' if column in numbers else ""),
                cell=cell,
            )
            for column, cell in enumerate(cells)
        ]
        return fill("<tr>{cells}</tr>\n", cells=made)

    return fill(
        '<div class="scroll"><table>\n<thead>{head}</thead>\n<tbody>\n{body}</tbody></table></div>\n',
        head=line(header, "th"),
        body=[line(row, "td") for row in rows],
    )


def figure(path: Path, alt: str, caption: str = "", large: bool = False) -> Html:
    """An image file, embedded in the page; a large one keeps its size and scrolls.

    Raises UserError when the file is missing.
    """
    kind = {".png": "png", ".jpg": "jpeg"}[path.suffix]
    try:
        data = path.read_bytes()
    except OSError:
        raise UserError(
            f"The figure '{path}' is missing; run 'gemtrain evaluate' (dvc repro) again."
        ) from None
    return fill(
        '<figure class="plot{large}"><div class="scroll">'
        '<img src="data:image/{kind};base64,{data}" alt="{alt}">'
        "</div><figcaption>{caption}</figcaption></figure>\n",
        large=" large" if large else "",
        kind=kind,
        data=base64.b64encode(data).decode(),
        alt=alt,
        caption=caption,
    )


def percent(share: float, ends: Sequence[float] | None = None) -> Html:
    """A share in per cent, with its interval if given."""
    value = fill("{value}&nbsp;%", value=f"{100 * share:.1f}")
    return value if ends is None else fill("{value} {range}", value=value, range=between(ends))


def difference(points: float, ends: Sequence[float]) -> Html:
    """A difference of shares in percentage points, with its interval."""
    return fill("{points} {range}", points=f"{100 * points:+.1f}", range=between(ends, "+"))


def between(ends: Sequence[float], sign: str = "-") -> Html:
    """The ends of an interval of shares, in per cent; `sign` is "+" for an interval of differences."""
    low, high = (f"{100 * end:{sign}.1f}" for end in ends)
    return fill('<span class="range">{low} to {high}</span>', low=low, high=high)


def _escaped(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "".join(_escaped(item) for item in value)
    return value if isinstance(value, Html) else html.escape(str(value))
