"""HTTP requests: pages with requests, images with httpx, both over the same wire."""

import re
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from copy import copy
from dataclasses import dataclass, field
from functools import partial
from http.cookiejar import DefaultCookiePolicy
from typing import ClassVar, Literal, NamedTuple, Self

import httpx
import requests
import urllib3
from urllib3.util import parse_url

from scraper.http.body import read_body
from scraper.http.cookies import Cookies
from scraper.http.errors import FetchError, TransientError
from scraper.http.failures import invalid_url
from scraper.http.headers import cookies, joined
from scraper.http.referer import referer_header
from scraper.http.wire.adapters import WireAdapter, WireTransport
from scraper.http.wire.deadline import Deadline
from scraper.http.wire.wire import CHUNK, Wire

#: What the libraries raise for a request that they cannot send; the wire raises errors of its own.
_UNSENDABLE = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    httpx.HTTPError,
    httpx.InvalidURL,
    UnicodeError,
)

#: Most URLs are in the form that is sent; recognising them takes a fraction of the time of parsing them.
_PLAIN_URL = re.compile(
    r"https?://[a-z0-9.-]+(?::[1-9]\d{0,3}|:[1-5]\d{4})?"
    r"(?:/(?!\.)(?:[\w.~!$&'()*+,;=:@-]|%[0-9A-F]{2})*)+"
    r"(?:\?(?:[\w.~!$&'()*+,;=:@/?-]|%[0-9A-F]{2})+)?",
    re.ASCII,
)

#: Statuses that challenge pages have besides 200, and how much of one is read.
_CHALLENGES, _CHALLENGE_BYTES = {401, 403, 405, 429, 503}, 65536

#: The libraries keep no cookies: each of their clients would have its own.
_NO_COOKIES = DefaultCookiePolicy(allowed_domains=[])


def conditional_headers(etag: str | None, last_modified: str | None) -> dict[str, str]:
    """Headers that make a request conditional; empty if no validator is known."""
    headers = {"If-None-Match": etag, "If-Modified-Since": last_modified}
    return {name: value for name, value in headers.items() if value and value.isascii()}


@dataclass(frozen=True)
class Response:
    """A response with its body, empty unless the transport wants it; header names are lower-cased.

    `cookies` are the values of its `Set-Cookie` headers, which are not in `headers`. `seconds` passed until
    it was complete, with those of the `redirects` within its host that led to it.
    """

    url: str
    status: int
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    cookies: tuple[str, ...] = field(default=(), repr=False)
    seconds: float = field(default=0.0, compare=False)
    redirects: int = field(default=0, compare=False)


class RawResponse(NamedTuple):
    """A response as a library received it; `chunks` of the body are as they were sent, often compressed."""

    status: int
    lines: Sequence[tuple[bytes, bytes]]
    chunks: Iterable[bytes]


@dataclass(eq=False)
class Transport(ABC):
    """Sends single requests over a wire, from any number of threads; redirects are not followed.

    `max_bytes` limits the body. With `cookies`, those of earlier responses are sent back.
    """

    content: ClassVar[Literal["page", "image"]]
    _accept: ClassVar[dict[str, str]]

    user_agent: str
    max_bytes: int
    wire: Wire
    cookies: Cookies | None = None
    _page: str | None = field(default=None, init=False)

    def for_page(self, page: str | None) -> Self:
        """The same transport, for what a page shows: the page is sent as the Referer."""
        transport = copy(self)
        transport._page = page
        return transport

    @property
    def _headers(self) -> dict[str, str]:
        return {"User-Agent": self.user_agent, **self._accept}

    def get(self, url: str, headers: Mapping[str, str], timeout: float) -> Response:
        """One request. Raises TransientError, TooLarge, and FetchError if it concerns this URL alone.

        `timeout` in seconds limits the whole answer, from the host's name to the end of the body.
        """
        deadline = Deadline(timeout)
        try:
            with self._send(_sent_form(url), {**self._context(url), **headers}, deadline) as raw:
                found = joined(raw.lines)
                body = self._read_body(raw, found.get("content-encoding", ""))
                response = Response(url, raw.status, found, body, cookies(raw.lines))
        except _UNSENDABLE:
            raise invalid_url() from None
        if self.cookies is not None:
            self.cookies.store(url, response.cookies)
        return response

    def _context(self, url: str) -> dict[str, str]:
        """The headers that depend on what was requested before."""
        sent_back = self.cookies.header(url) if self.cookies is not None else {}
        return {**sent_back, **(referer_header(self._page, url) if self._page is not None else {})}

    def _read_body(self, raw: RawResponse, encoding: str) -> bytes:
        """The whole body of a response with status 200, and the start of one that may be a challenge page."""
        if raw.status in _CHALLENGES:
            with suppress(FetchError, TransientError):  # the status says enough
                return read_body(raw.chunks, encoding, _CHALLENGE_BYTES, truncate=True)
        return read_body(raw.chunks, encoding, self.max_bytes) if raw.status == 200 else b""

    @abstractmethod
    def _send(
        self, url: str, headers: Mapping[str, str], deadline: Deadline
    ) -> AbstractContextManager[RawResponse]:
        """Send a request."""


def _sent_form(url: str) -> str:
    """The URL in a form that both libraries send unchanged.

    Escapes stay escaped, in upper case; characters that need it are escaped, dot segments resolved.
    """
    if _PLAIN_URL.fullmatch(url):
        return url
    parts = parse_url(url)
    if parts.scheme not in ("http", "https") or not parts.host:
        raise invalid_url()
    return parts._replace(auth=None, path=parts.path or "/", query=parts.query or None, fragment=None).url


@dataclass(eq=False)
class PageTransport(Transport):
    """Fetches pages through one requests session a thread: a session is not thread-safe."""

    content = "page"
    _accept: ClassVar = {"Accept": "text/html,*/*;q=0.5", "Accept-Encoding": "gzip, deflate"}

    _local: threading.local = field(default_factory=threading.local, init=False, repr=False)

    @contextmanager
    def _send(self, url: str, headers: Mapping[str, str], deadline: Deadline) -> Iterator[RawResponse]:
        session = self._session()
        request = session.prepare_request(requests.Request("GET", url, headers))
        with session.send(request, stream=True, allow_redirects=False, deadline=deadline) as response:
            raw = response.raw
            fields = raw.headers.iteritems()
            lines = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields]
            chunks = iter(partial(raw.read, CHUNK, decode_content=False), b"")
            yield RawResponse(response.status_code, lines, chunks)

    def _session(self) -> requests.Session:
        if not hasattr(self._local, "session"):
            self._local.session = self._new_session()
        session: requests.Session = self._local.session
        return session

    def _new_session(self) -> requests.Session:
        session = _Session()
        session.headers.update(self._headers)
        session.cookies.set_policy(_NO_COOKIES)
        session.trust_env = False  # the wire knows the proxies, and no password is sent
        for scheme in ("http://", "https://"):
            session.mount(scheme, WireAdapter(self.wire))
        return session


@dataclass(eq=False)
class RobotsTransport(PageTransport):
    """Fetches robots.txt files: the first `max_bytes` of the body of any 2xx response."""

    _accept: ClassVar = {"Accept": "text/plain,*/*;q=0.5", "Accept-Encoding": "gzip, deflate"}

    def _read_body(self, raw: RawResponse, encoding: str) -> bytes:
        wanted = 200 <= raw.status < 300
        return read_body(raw.chunks, encoding, self.max_bytes, truncate=True) if wanted else b""


class _Session(requests.Session):
    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        """Keep the URL: requests would unescape some of its characters."""
        prepared = super().prepare_request(request)
        prepared.url = str(request.url)
        return prepared

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: requests would read the body of a redirect, however long it is, without following it."""


@dataclass(eq=False)
class ImageTransport(Transport):
    """Fetches images through one httpx client; bodies are requested without compression."""

    content = "image"
    _accept: ClassVar = {"Accept": "image/*,*/*;q=0.5", "Accept-Encoding": "identity"}

    _client: httpx.Client = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._client = httpx.Client(
            headers=self._headers, trust_env=False, transport=WireTransport(self.wire)
        )
        self._client.cookies.jar.set_policy(_NO_COOKIES)

    @contextmanager
    def _send(self, url: str, headers: Mapping[str, str], deadline: Deadline) -> Iterator[RawResponse]:
        extensions = {"deadline": deadline}
        with self._client.stream("GET", url, headers=headers, extensions=extensions) as response:
            yield RawResponse(response.status_code, response.extensions["lines"], response.iter_raw())
