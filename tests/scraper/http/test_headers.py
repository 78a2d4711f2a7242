"""The headers of a response as text."""

from hypothesis import given
from hypothesis import strategies as st

from scraper.http.headers import cookies, joined
from scraper.http.transport import conditional_headers


@given(st.lists(st.tuples(st.binary(max_size=12), st.binary(max_size=12)), max_size=6))
def test_any_lines_are_text(lines: list[tuple[bytes, bytes]]) -> None:
    headers = joined([*lines, (b"Set-Cookie", b"a=b")])
    assert "set-cookie" not in headers and cookies([*lines, (b"Set-Cookie", b"a=b")])[-1] == "a=b"


def test_values_are_joined_but_for_those_that_stand_alone() -> None:
    lines = [
        (b"X-Robots-Tag", b"noai"),
        (b"x-robots-tag", b"noindex"),
        (b"Retry-After", b"7"),
        (b"retry-after", b"9"),
        (b"Location", b"/a"),
        (b"Location", b"/b"),
    ]
    assert joined(lines) == {"x-robots-tag": "noai, noindex", "retry-after": "7", "location": "/a"}


def test_a_target_keeps_the_bytes_that_its_server_knows() -> None:
    assert joined([(b"Location", b"/r\xfcbin.jpg")]) == {"location": "/r%FCbin.jpg"}
    assert joined([(b"Location", "/rübin.jpg".encode())]) == {"location": "/rübin.jpg"}


def test_an_endless_validator_is_not_sent_back() -> None:
    headers = joined([(b"ETag", b'"%b"' % (b"x" * 5_000)), (b"Last-Modified", b"x" * 1_000)])
    assert conditional_headers(headers.get("etag"), headers.get("last-modified")) == {
        "If-Modified-Since": "x" * 1_000
    }
