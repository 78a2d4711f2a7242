"""The encoding in which a page is read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.stores.charset import decode_html
from scraper.stores.document import Document

TEXT = "<title>Рубин</title><p>宝石</p>"
RUSSIAN = "<h1>Рубин и сапфир</h1>"


@pytest.mark.parametrize(
    "charset", ["windows-1251", "WINDOWS-1251", "cp1251", "win-1251", "koi8-r", "iso-8859-5"]
)
def test_the_header_alone(charset: str) -> None:
    encoding = charset.lower().replace("win-", "cp")
    assert decode_html(RUSSIAN.encode(encoding), charset) == RUSSIAN


@pytest.mark.parametrize("charset", [None, "utf-8", "windows-1251", "iso-8859-1", "utf-16", "base64", "idna"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_comes_before_the_header(encoding: str, charset: str | None) -> None:
    assert decode_html(TEXT.encode(encoding), charset) == TEXT


def test_the_header_comes_before_the_page_s_own_declaration() -> None:
    page = f'<meta charset="utf-8">{RUSSIAN}'
    assert decode_html(page.encode("cp1251"), "windows-1251") == page


@pytest.mark.parametrize(
    "declaration",
    [
        '<meta charset="windows-1251">',
        "<META http-equiv=Content-Type content='text/html; charset=windows-1251'>",
        '<?xml version="1.0" encoding="windows-1251"?>',
    ],
)
@pytest.mark.parametrize(
    "charset", [None, "", "nonsense", "base64", "zip", "undefined", "unicode_escape", "utf-16", "utf-8"]
)
def test_unknown_and_wrong_labels_give_way_to_the_page_s_own(declaration: str, charset: str | None) -> None:
    page = declaration + RUSSIAN
    assert decode_html(page.encode("cp1251"), charset) == page


@pytest.mark.parametrize("charset", [None, "nonsense", "punycode", "rot13", "utf-16", "utf-32", "idna", "\0"])
def test_utf_8_without_any_true_label(charset: str | None) -> None:
    assert decode_html(TEXT.encode(), charset) == TEXT


def test_a_page_with_damage_stays_readable() -> None:
    assert decode_html(TEXT.encode() + b"\xff", "utf-8") == TEXT + "\N{REPLACEMENT CHARACTER}"
    guessed = decode_html(
        f"<p>Über Größen und Maße für Rubine, {'schöne Steine, ' * 50}".encode("cp1252"), None
    )
    assert "Größen" in guessed


@pytest.mark.filterwarnings("ignore::bs4.XMLParsedAsHTMLWarning")
@pytest.mark.parametrize("declared", ["utf-8", "windows-1251", "utf-16", "nonsense"])
def test_the_parser_obeys_the_encoding_that_was_found(declared: str) -> None:
    page = f'<?xml version="1.0" encoding="{declared}"?><meta charset="{declared}"><h1>Рубин</h1>'
    heading = Document("http://shop.test/", page.encode("cp1251"), "windows-1251").soup.select_one("h1")
    assert heading is not None and heading.get_text() == "Рубин"


@given(
    st.binary(max_size=100),
    st.none() | st.text(max_size=20) | st.sampled_from(["utf-7", "hex", "mbcs", "hz"]),
)
def test_any_bytes_with_any_label_are_text(content: bytes, charset: str) -> None:
    decode_html(content, charset).encode("utf-8", "replace")
