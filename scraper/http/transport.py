"""HTTP requests: pages with requests, images with httpx. What both accept is decided here, once."""

import re
import ssl
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from copy import copy
from dataclasses import dataclass, field
from functools import partial
from http.cookiejar import DefaultCookiePolicy
from typing import ClassVar, Literal, NamedTuple, Self

import httpx
import requests
from urllib3.util import parse_url

from scraper.http.body import CHUNK, read_body, read_start
from scraper.http.cookies import Cookies
from scraper.http.failures import LIBRARY_ERRORS, failure, invalid_url, malformed
from scraper.http.headers import accept_headers, cookies
from scraper.http.referer import referer_header
from scraper.http.strict_adapter import StrictAdapter

#: Virtual host → the address to connect to instead (like curl's --connect-to).
HostOverrides = Mapping[str, tuple[str, int]]


#: Most URLs are in the form that is sent; recognising them takes a fraction of the time of parsing them.
_PLAIN_URL = re.compile(
    r"https?://[a-z0-9.-]+(?::[1-9]\d{0,3}|:[1-5]\d{4})?"
    r"(?:/(?!\.)(?:[\w.~!$&'()*+,;=:@-]|%[0-9A-F]{2})*)+"
    r"(?:\?(?:[\w.~!$&'()*+,;=:@/?-]|%[0-9A-F]{2})+)?",
    re.ASCII,
)

#: The libraries keep no cookies: each of their clients would have its own.
_NO_COOKIES = DefaultCookiePolicy(allowed_domains=[])


def conditional_headers(etag: str | None, last_modified: str | None) -> dict[str, str]:
    """Headers that make a request conditional; empty if no validator is known."""
    headers = {"If-None-Match": etag, "If-Modified-Since": last_modified}
    return {name: value for name, value in headers.items() if value and value.isascii()}


@dataclass(frozen=True)
class Response:
    """A response with its body, empty unless the transport wants it; header names are lower-cased.

    `cookies` are the values of its `Set-Cookie` headers, which are not in `headers`.
    """

    url: str
    status: int
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    cookies: tuple[str, ...] = field(default=(), repr=False)


class RawResponse(NamedTuple):
    """A response as a library received it; `chunks` of the body are as they were sent, often compressed."""

    status: int
    headers: Sequence[tuple[bytes, bytes]]
    chunks: Iterator[bytes]


@dataclass(eq=False)
class Transport(ABC):
    """Sends single requests, from any number of threads; redirects are not followed.

    `timeout` in seconds limits the whole body and each wait before it. `max_bytes` limits the body.
    `tls` says which certificates are accepted. With `cookies`, those of earlier responses are sent back.
    """

    content: ClassVar[Literal["page", "image"]]
    _accept: ClassVar[dict[str, str]]

    user_agent: str
    timeout: float
    max_bytes: int
    host_overrides: HostOverrides
    tls: ssl.SSLContext
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

    def get(self, url: str, headers: Mapping[str, str]) -> Response:
        """One request. Raises TransientError, TooLarge, and FetchError if it concerns this URL alone."""
        deadline = time.monotonic() + self.timeout
        try:
            with self._send(*self._located(url, {**self._context(url), **headers})) as raw:
                if raw.status < 200:  # a switch to another protocol
                    raise malformed()
                accepted = accept_headers(raw.headers)
                body = self._read_body(raw, accepted.get("content-encoding", ""), deadline)
                response = Response(url, raw.status, accepted, body, cookies(raw.headers))
        except LIBRARY_ERRORS as error:
            raise failure(error) from error
        if self.cookies is not None:
            self.cookies.store(url, response.cookies)
        return response

    def _context(self, url: str) -> dict[str, str]:
        """The headers that depend on what was requested before."""
        sent_back = self.cookies.header(url) if self.cookies is not None else {}
        return {**sent_back, **(referer_header(self._page, url) if self._page is not None else {})}

    def _read_body(self, raw: RawResponse, encoding: str, deadline: float) -> bytes:
        """The whole body of a response with status 200."""
        return read_body(raw.chunks, encoding, self.max_bytes, deadline) if raw.status == 200 else b""

    def _located(self, url: str, headers: Mapping[str, str]) -> tuple[str, dict[str, str]]:
        """The URL to connect to, in a form that both libraries send unchanged, and the headers.

        Escapes stay escaped, in upper case; characters that need it are escaped, dot segments resolved.
        """
        if not self.host_overrides and _PLAIN_URL.fullmatch(url):
            return url, dict(headers)
        parts = parse_url(url)
        if parts.scheme not in ("http", "https") or not parts.host:
            raise invalid_url()
        parts = parts._replace(auth=None, path=parts.path or "/", query=parts.query or None, fragment=None)
        host = parts.netloc or ""
        if host not in self.host_overrides:
            return parts.url, dict(headers)
        address, port = self.host_overrides[host]
        return parts._replace(host=address, port=port).url, {"Host": host, **headers}

    @abstractmethod
    def _send(self, url: str, headers: dict[str, str]) -> AbstractContextManager[RawResponse]:
        """Send a request; raises `LIBRARY_ERRORS`, also while the chunks are read."""


@dataclass(eq=False)
class PageTransport(Transport):
    """Fetches pages through one requests session a thread: a session is not thread-safe."""

    content = "page"
    _accept: ClassVar = {"Accept": "text/html,*/*;q=0.5"}

    _local: threading.local = field(default_factory=threading.local, init=False, repr=False)

    @contextmanager
    def _send(self, url: str, headers: dict[str, str]) -> Iterator[RawResponse]:
        with self._session().get(
            url, headers=headers, stream=True, timeout=self.timeout, allow_redirects=False
        ) as response:
            raw = response.raw
            lines = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in raw.headers.items()]
            # read1 returns what has arrived: waiting for a whole chunk could miss the deadline.
            chunks = iter(partial(raw.read1, CHUNK, decode_content=False), b"")
            yield RawResponse(response.status_code, lines, chunks)

    def _session(self) -> requests.Session:
        if not hasattr(self._local, "session"):
            self._local.session = self._new_session()
        session: requests.Session = self._local.session
        return session

    def _new_session(self) -> requests.Session:
        session = _Session()
        session.headers.update(self._headers)
        session.auth = _no_auth
        session.cookies.set_policy(_NO_COOKIES)
        session.trust_env = not self.host_overrides
        for scheme in ("http://", "https://"):
            session.mount(scheme, StrictAdapter(self.tls))
        return session


@dataclass(eq=False)
class RobotsTransport(PageTransport):
    """Fetches robots.txt files: the first `max_bytes` of the body of any 2xx response."""

    _accept: ClassVar = {"Accept": "text/plain,*/*;q=0.5"}

    def _read_body(self, raw: RawResponse, encoding: str, deadline: float) -> bytes:
        wanted = 200 <= raw.status < 300
        return read_start(raw.chunks, encoding, self.max_bytes, deadline) if wanted else b""


class _Session(requests.Session):
    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        """Keep the URL: requests would unescape some of its characters."""
        prepared = super().prepare_request(request)
        prepared.url = str(request.url)
        return prepared

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: requests would read the body of a redirect, however long it is, without following it."""


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Send no password: requests would look for one in ~/.netrc."""
    return request


class _Trust(threading.local):
    """Whether this thread may use an `idle` connection, on which the rest of a response might arrive."""

    idle = True


@dataclass(eq=False)
class ImageTransport(Transport):
    """Fetches images; bodies are requested without compression.

    There is one httpx client per concurrent request: a single client spends much of its time searching its
    connection pool.
    """

    content = "image"
    _accept: ClassVar = {"Accept": "image/*,*/*;q=0.5", "Accept-Encoding": "identity"}

    _idle: list[httpx.Client] = field(default_factory=list, init=False, repr=False)
    _trust: _Trust = field(default_factory=_Trust, init=False, repr=False)

    @contextmanager
    def _send(self, url: str, headers: dict[str, str]) -> Iterator[RawResponse]:
        with (
            self._client() as client,
            client.stream("GET", url, headers=headers, follow_redirects=False) as response,
        ):
            if not response.http_version.startswith("HTTP/1."):
                raise httpx.RemoteProtocolError(f"Unknown protocol {response.http_version}")
            yield RawResponse(response.status_code, response.extensions["lines"], response.iter_raw())

    @contextmanager
    def _client(self) -> Iterator[httpx.Client]:
        client = self._take_idle() if self._trust.idle else None
        reused, self._trust.idle = client is not None, True
        client = client or self._new_client()
        try:
            yield client
        except httpx.RemoteProtocolError as error:
            self._trust.idle = not reused  # else the next attempt gets a new connection
            raise failure(error, reused) from error
        self._idle.append(client)

    def _take_idle(self) -> httpx.Client | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _new_client(self) -> httpx.Client:
        client = httpx.Client(
            headers=self._headers,
            timeout=self.timeout,
            trust_env=not self.host_overrides,
            verify=self.tls,
            event_hooks={"response": [_hide_redirect]},
        )
        client.cookies.jar.set_policy(_NO_COOKIES)
        return client


def _hide_redirect(response: httpx.Response) -> None:
    """Keep the headers, but without the target of a redirect: httpx would parse it, and may refuse to."""
    response.extensions["lines"] = response.headers.raw
    response.headers.pop("location", None)
