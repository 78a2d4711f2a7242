"""Templates escape their values; numbers and shares are formatted for people."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError
from lxml import html

from gemkit.html import number, percent, render


@given(st.integers(0, 10**9), st.integers(1, 10**9))
def test_shares_are_never_rounded_to_0_or_100_percent(part: int, whole: int) -> None:
    part = min(part, whole)
    words = percent(part, whole)
    assert (words == "0\N{NO-BREAK SPACE}%") == (part == 0)
    assert (words == "100\N{NO-BREAK SPACE}%") == (part == whole)


def test_numbers_have_separators_or_three_digits() -> None:
    assert [number(n) for n in (1234567, 0.0812345, 60.0, float("nan"), None)] == [
        "1,234,567", "0.0812", "60", "–", "–",
    ]  # fmt: skip


HOSTILE = """<script>alert(1)</script> & "quoted" 'twice' {{ 7 * 7 }} </title></style>"""


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """A template that shows `value` as text, as an attribute and through a macro of another template."""
    (tmp_path / "parts.html").write_text("{% macro bold(text) %}<b>{{ text }}</b>{% endmacro %}")
    path = tmp_path / "page.html"
    path.write_text(
        """{% extends "base.html" %}{% from "parts.html" import bold %}
        {% block title %}{{ value }}{% endblock %}
        {% block body %}<p title="{{ value }}">{{ value|words }}</p>{{ bold(value) }}{% endblock %}"""
    )
    return path


def test_values_are_escaped_in_every_place_of_a_page(page: Path) -> None:
    parsed = html.fromstring(render(page, value=HOSTILE))
    (paragraph,), (bold,), (title,) = (list(parsed.iter(tag)) for tag in ("p", "b", "title"))
    assert paragraph.text == paragraph.get("title") == bold.text == title.text == HOSTILE
    assert not list(parsed.iter("script")) and len(list(parsed.iter("style"))) == 1


def test_a_page_loads_nothing_and_has_the_shared_style(page: Path) -> None:
    text = render(page, value="x")
    assert text.startswith("<!DOCTYPE html>") and "default-src 'none'" in text
    assert "color-scheme: light dark" in text


def test_markdown_is_not_escaped_and_a_missing_value_is_an_error(tmp_path: Path) -> None:
    card = tmp_path / "card.md.j2"
    card.write_text("{{ value }}, {{ 1234|number }}\n")
    assert render(card, value=HOSTILE) == f"{HOSTILE}, 1,234\n"
    with pytest.raises(UndefinedError, match="value"):
        render(card)
