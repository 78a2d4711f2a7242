"""The canonical form of each URL, for any untrusted text."""

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.http.urls import LONGEST_URL, LinkFault, file_name, resolve, url_key

BASE = "http://shop.test/a/b"


@pytest.mark.parametrize(
    ("link", "key"),
    [
        ("c", "http://shop.test/a/c"),
        ("/x/../y", "http://shop.test/y"),
        ("//CDN.test:80/p.jpg#top", "http://cdn.test/p.jpg"),
        ("https://cdn.test:443", "https://cdn.test/"),
        ("?b=2&a=1", "http://shop.test/a/b?a=1&b=2"),
        ("/p?PHPSESSID=8&id=3&utm_source=mail", "http://shop.test/p?id=3"),
        ("/p;jsessionid=AB12?id=3", "http://shop.test/p?id=3"),
        (" /Rubin%C3%A9 ", "http://shop.test/Rubin%C3%A9"),
        ("/Rubiné", "http://shop.test/Rubin%C3%A9"),
        ("/a%2fb", "http://shop.test/a%2Fb"),
        ("data:image/png;base64,AAAA", None),
        ("javascript:void(0)", None),
        ("mailto:a@b.c", None),
        ("file:///etc/passwd", None),
        ("http://user:secret@shop.test/", None),
        ("http://[::1/", None),
    ],
)
def test_canonical_form(link: str, key: str | None) -> None:
    assert url_key(link, BASE) == key


def test_a_query_may_be_stripped() -> None:
    assert url_key("/p.jpg?w=500", BASE, strip_query=True) == "http://shop.test/p.jpg"


@pytest.mark.parametrize(
    ("link", "fault"),
    [
        ("data:image/png;base64,AAAA", LinkFault.NO_HTTP),
        (" DATA:image/png;base64," + "A" * 1_000_000, LinkFault.NO_HTTP),
        ("javascript:void(0)", LinkFault.NO_HTTP),
        ("http://user@shop.test/", LinkFault.USER_NAME),
        ("//user:secret@shop.test/x", LinkFault.USER_NAME),
        ("http://[::1/", LinkFault.INVALID),
        ("http://a b/", LinkFault.INVALID),
        ("/" + "a" * 4_000_000, LinkFault.TOO_LONG),
        ("http://shop.test/" + "a" * LONGEST_URL, LinkFault.TOO_LONG),
        ("/" + "é" * (LONGEST_URL // 4), LinkFault.TOO_LONG),
    ],
    ids=range(10),
)
def test_why_a_link_is_left_out(link: str, fault: LinkFault) -> None:
    assert resolve(link, BASE) is fault and url_key(link, BASE) is None


def test_the_longest_url() -> None:
    start = "http://shop.test/"
    longest = start + "a" * (LONGEST_URL - len(start))
    assert url_key(longest) == longest and url_key(longest.removeprefix(start), start) == longest
    assert resolve(longest + "a") is LinkFault.TOO_LONG


@given(st.text(max_size=60))
def test_any_text_gives_a_stable_key_or_none(link: str) -> None:
    key = url_key(link, BASE)
    if key is not None:
        assert url_key(key) == key
        assert key.isascii() and urlsplit(key).scheme in ("http", "https") and urlsplit(key).hostname
        assert not any(character.isspace() for character in key)


@given(
    st.lists(st.text(alphabet="aé/.% +&;=~-", min_size=1, max_size=6), max_size=4),
    st.dictionaries(st.text(min_size=1, max_size=4), st.text(max_size=4), max_size=3),
)
def test_keys_of_keys_are_the_same(path: list[str], query: dict[str, str]) -> None:
    link = "/" + "/".join(path) + "?" + "&".join(f"{name}={value}" for name, value in query.items())
    key = url_key(link, BASE)
    assert key is None or url_key(key) == key


@given(
    st.lists(st.text(alphabet="az09-", max_size=5), min_size=1, max_size=4),
    st.sampled_from(["", ":80", ":443", ":0800", ":8000", ":59999", ":65536", ":x"]),
    st.lists(st.text(alphabet="aZ0_.~-", max_size=5), max_size=4),
)
def test_the_shortcut_for_canonical_links_agrees_with_the_full_path(
    host: list[str], port: str, path: list[str]
) -> None:
    link = f"http://{'.'.join(host)}{port}/{'/'.join(path)}"
    assert url_key(link) == url_key(f"{link}#top")


@given(st.permutations(["a=1", "b=2", "c=%20x", "sid=9"]))
def test_the_order_of_a_query_does_not_matter(parts: list[str]) -> None:
    assert url_key("/p?" + "&".join(parts), BASE) == url_key("/p?a=1&b=2&c=%20x", BASE)


@given(st.text(max_size=30))
def test_a_file_name_is_text(name: str) -> None:
    key = url_key("/" + name, BASE)
    if key is not None:
        file_name(key).encode()
