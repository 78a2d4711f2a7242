"""Cookies: which are kept, to which URLs they are sent, and how many."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.http.cookies import Cookies
from scraper.http.referer import referer_header

PAGE = "https://www.shop.example/p/1"


def sent(values: list[str], url: str, page: str = PAGE) -> set[str]:
    cookies = Cookies()
    cookies.store(page, values)
    return set(cookies.header(url).get("Cookie", "").split("; ")) - {""}


@pytest.mark.parametrize(
    ("value", "url", "expected"),
    [
        ("a=1", "https://www.shop.example/img/1.jpg", False),  # the path is that of the page
        ("a=1; Path=/", "https://www.shop.example/img/1.jpg", True),
        ("a=1; path=/; HttpOnly; SameSite=Lax", "https://www.shop.example/img/1.jpg", True),
        ("a=1; Path=/", "https://img.shop.example/1.jpg", False),
        ("a=1; Path=/; Domain=shop.example", "https://img.shop.example/1.jpg", True),
        ("a=1; Path=/; Domain=.shop.example", "https://img.shop.example/1.jpg", True),
        ("a=1; Path=/; Domain=shop.example", "https://shop.example.evil.test/", False),
        ("a=1; Path=/; Domain=other.example", "https://other.example/", False),
        ("a=1; Path=/; Domain=example", "https://other.example/", False),
        ("a=1; Path=/; Secure", "http://www.shop.example/", False),
        ("a=1; Path=/; Secure", "https://www.shop.example/", True),
        ("a=1; Path=/; Max-Age=60", "https://www.shop.example/", True),
        ("a=1; Path=/; Max-Age=0", "https://www.shop.example/", False),
        ("a=1; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "https://www.shop.example/", False),
        ("a=1; Path=/; Expires=Wed, 21 Oct 2099 07:28:00 GMT", "https://www.shop.example/", True),
        ("a=1; Path=/; Expires=soon", "https://www.shop.example/", True),
    ],
)
def test_where_a_cookie_is_sent(value: str, url: str, expected: bool) -> None:
    assert sent([value], url) == ({"a=1"} if expected else set())


def test_a_later_value_replaces_an_earlier_one_and_an_expired_one_is_forgotten() -> None:
    assert sent(["a=1; Path=/", "b=2; Path=/", "a=3; Path=/"], PAGE) == {"a=3", "b=2"}
    assert sent(["a=1; Path=/", "a=; Path=/; Max-Age=0"], PAGE) == set()


def test_a_second_level_domain_is_no_site() -> None:
    page = "https://www.shop.co.uk/"
    assert sent(["a=1; Domain=.co.uk; Path=/"], "https://other.co.uk/", page) == set()


@pytest.mark.heavy
def test_cookies_are_bounded_in_size_and_number() -> None:
    assert sent(["a=" + "x" * 5_000], PAGE) == set()
    kept = sent([f"a{n}={n}; Path=/" for n in range(200)], PAGE)
    assert kept == {f"a{n}={n}" for n in range(150, 200)}
    cookies = Cookies()
    for n in range(100):
        cookies.store(f"https://h{n}.example/", [f"a{m}=1" for m in range(50)])
    assert sum(bool(cookies.header(f"https://h{n}.example/")) for n in range(100)) == 60


@pytest.mark.parametrize("value", ["a=é", "a=\x00", "a=1\r\nX-Evil: 1", "a=\x7f"])
def test_what_no_request_can_carry_is_not_kept(value: str) -> None:
    assert sent([value], PAGE) == set()


def test_many_threads_share_the_cookies() -> None:
    cookies = Cookies()

    def visit(number: int) -> None:
        cookies.store("http://shop.test/", [f"a{number % 40}=1; Path=/"])
        cookies.header("http://shop.test/")

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(visit, range(400)))
    assert len(cookies.header("http://shop.test/")["Cookie"].split("; ")) == 40


@pytest.mark.heavy
@given(st.lists(st.text(max_size=60) | st.text("=;,\"' aExpirs-Domain.=0-9", max_size=60), max_size=5))
def test_any_header_is_survived(values: list[str]) -> None:
    cookies = Cookies()
    cookies.store("http://127.0.0.1:8000/a/b?c", values)
    cookies.header("http://127.0.0.1:8000/a/b?c").get("Cookie", "").encode("ascii")


@pytest.mark.parametrize(
    ("page", "url", "referer"),
    [
        ("https://shop.test/p?a=1", "https://cdn.test/1.jpg", "https://shop.test/p?a=1"),
        ("http://shop.test/p", "https://cdn.test/1.jpg", "http://shop.test/p"),
        ("http://shop.test/p", "http://cdn.test/1.jpg", "http://shop.test/p"),
        ("https://user:secret@shop.test:8443/p#x", "https://cdn.test/1.jpg", "https://shop.test:8443/p"),
        ("https://shop.test/p", "http://cdn.test/1.jpg", None),
    ],
)
def test_referer(page: str, url: str, referer: str | None) -> None:
    assert referer_header(page, url) == ({"Referer": referer} if referer else {})
