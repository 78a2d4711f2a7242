"""The cookies of one crawl, in memory: what a host sets is sent back to it."""

import threading
from collections.abc import Iterable
from email.message import Message
from http.cookiejar import CookieJar, DefaultCookiePolicy
from urllib.request import Request

#: RFC 6265 6.1: what everyone should be able to keep: bytes of a cookie, cookies of a domain, cookies.
_MAX_BYTES, _MAX_OF_DOMAIN, _MAX_COOKIES = 4_096, 50, 3_000

#: nginx and Apache refuse a header line of more than 8 KB, and with it the request.
_MAX_HEADER = 8_000


class Cookies:
    """Cookies by RFC 6265, for any number of threads; beyond the bounds the oldest ones are forgotten."""

    def __init__(self) -> None:
        self._jar = CookieJar(DefaultCookiePolicy(strict_domain=True))
        self._lock = threading.Lock()

    def header(self, url: str) -> dict[str, str]:
        """The `Cookie` header of a request; empty without cookies."""
        request = Request(url)
        with self._lock:
            self._jar.add_cookie_header(request)
        sent, size = [], 0
        for cookie in (request.get_header("Cookie") or "").split("; "):
            size += len(cookie) + 2
            if cookie and size <= _MAX_HEADER:
                sent.append(cookie)
        return {"Cookie": "; ".join(sent)} if sent else {}

    def store(self, url: str, values: Iterable[str]) -> None:
        """Store the `Set-Cookie` values of a response from a URL, but for those that cannot be sent back."""
        with self._lock:
            for value in values:  # one by one: of several, the jar would forget expired ones first
                if len(value) <= _MAX_BYTES and _is_sendable(value):
                    self._jar.extract_cookies(_Answer(value), Request(url))  # type: ignore[arg-type]  # it reads no more
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        cookies = list(self._jar)
        domains: dict[str, int] = {}
        surplus = len(cookies) - _MAX_COOKIES
        for cookie in reversed(cookies):
            domains[cookie.domain] = domains.get(cookie.domain, 0) + 1
            if domains[cookie.domain] > _MAX_OF_DOMAIN:
                self._jar.clear(cookie.domain, cookie.path, cookie.name)
                surplus -= 1
        for cookie in list(self._jar)[: max(0, surplus)]:
            self._jar.clear(cookie.domain, cookie.path, cookie.name)


class _Answer:
    """The part of a response that a cookie jar reads."""

    def __init__(self, value: str):
        self._headers = Message()
        self._headers["Set-Cookie"] = value

    def info(self) -> Message:
        return self._headers


def _is_sendable(value: str) -> bool:
    return value.isascii() and value.replace("\t", " ").isprintable()
