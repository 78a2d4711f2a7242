"""robots.txt in the forms in which servers send it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.http.robots import PRODUCT, Robots
from scraper.http.robots_text import PARSED_BYTES, READ_BYTES
from scraper.http.transport import Response
from scraper.tables import ReasonKind

SHOP = "https://shop.test"
RULES = "User-agent: *\nDisallow: /private/\nCrawl-delay: 0.5\n"


def robots(body: bytes, status: int = 200) -> Robots:
    return Robots.from_response(Response(f"{SHOP}/robots.txt", status, {}, body), respect_content_signal=True)


def allows(body: bytes, path: str, status: int = 200) -> bool:
    reason = robots(body, status).disallowed_by(SHOP + path)
    assert reason is None or reason.kind == ReasonKind.ROBOTS
    return reason is None


@pytest.mark.parametrize("status", [200, 201, 202, 203, 206, 226, 299])
def test_any_success_has_rules(status: int) -> None:
    assert not allows(RULES.encode(), "/private/x", status)
    assert allows(RULES.encode(), "/x", status)


@pytest.mark.parametrize("status", [204, 205])
def test_no_content_is_no_rule(status: int) -> None:
    assert allows(b"", "/private/x", status)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1"]
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends(encoding: str, end: str) -> None:
    body = RULES.replace("\n", end).encode(encoding)
    assert not allows(body, "/private/x") and allows(body, "/x")
    assert robots(body).crawl_delay == 0.5


def test_two_byte_order_marks_and_nul_bytes() -> None:
    assert not allows(b"\xef\xbb\xbf\xef\xbb\xbf" + RULES.encode(), "/private/x")
    assert not allows(b"\0User-agent: *\0\nDis\0allow: /private/\0\n", "/private/x")


def test_bytes_that_are_no_utf8_are_compared_as_they_are_sent() -> None:
    body = "User-agent: *\nDisallow: /rubín/\n".encode("latin-1")
    assert not allows(body, "/rub%EDn/1") and allows(body, "/rub/1")


def test_html_instead_of_rules() -> None:
    assert allows(b"<!doctype html><html><body>User-agent: *<br>\nDisallow: /</body></html>", "/x")


@pytest.mark.parametrize(
    "name", ["gemscrape", "GemScrape", "GEMSCRAPE/0.3", "gemscrape (+me@example.org)", "gem*", "*scrape*"]
)
@pytest.mark.parametrize("field", ["User-agent: {}", "user-agent:{}", "USERAGENT : {}", " User agent {} # x"])
def test_a_group_of_ours(name: str, field: str) -> None:
    ours = f"{field.format(name)}\nDisallow: /a\n"
    assert not allows(f"User-agent: *\nDisallow: /b\n\n{ours}".encode(), "/a")
    assert allows(f"User-agent: *\nDisallow: /b\n\n{ours}".encode(), "/b")
    assert not allows(
        f"User-agent: first\n{field.format(name)}\nUser-agent: last\nDisallow: /a".encode(), "/a"
    )


@pytest.mark.parametrize("name", ["gem", "scrape", "gemscraper", "gemscrape-images", "other", "gemscrap?r"])
def test_a_group_of_another_crawler(name: str) -> None:
    body = f"User-agent: {name}\nAllow: /\n\nUser-agent: *\nDisallow: /a\n".encode()
    assert not allows(body, "/a")


@pytest.mark.parametrize(
    ("rule", "path"),
    [
        ("/*/private", "/x/private/1"),
        ("/*.jpg$", "/a/b.jpg"),
        ("/a?b=", "/a?b=1"),
        ("*", "/x"),
        ("/ü", "/%C3%BC"),
    ],
)
def test_patterns(rule: str, path: str) -> None:
    assert not allows(f"User-agent: *\nDisallow: {rule}\n".encode(), path)


def test_the_first_500_kib_are_parsed_and_a_line_cut_there_is_dropped() -> None:
    start = b"User-agent: *\nDisallow: /a\n"
    cut = start + b"#" * (PARSED_BYTES - len(start) - len(b"\nAllow: /a")) + b"\nAllow: /a/b/c\nDisallow: /c"
    assert not allows(cut, "/a/x"), "the rule that is cut would allow it"
    assert allows(cut, "/c")
    whole = start + b"#" * (PARSED_BYTES - len(start) - len(b"\nAllow: /a/b")) + b"\nAllow: /a/b"
    assert len(whole) == PARSED_BYTES and allows(whole, "/a/b"), "the last line needs no end"
    assert allows(b"Disallow: /" + b"a" * READ_BYTES, "/aa")


@pytest.mark.heavy
def test_a_myriad_of_groups_costs_no_more_than_one() -> None:
    agents = "".join(f"User-agent: bot{n}\n" for n in range(12_000))
    body = (f"{agents}User-agent: {PRODUCT}\n" + "Disallow: /a\n" * 15_000).encode()
    assert len(body) < PARSED_BYTES and not allows(body, "/a")


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_parsed(body: bytes) -> None:
    allows(body + b"\nUser-agent: *\nDisallow: /a\n", "/a")
    robots(body).crawl_delay.is_integer()
