"""HTTP requests: pages with requests, images with httpx, each body read under a size cap and a deadline."""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import httpx
import requests
import urllib3
from requests.adapters import HTTPAdapter

from scraper.http.errors import TooLarge, TransientError
from scraper.http.reason import Reason
from scraper.tables import ReasonKind

#: Virtual host → the address to connect to instead (like curl's --connect-to).
HostOverrides = Mapping[str, tuple[str, int]]

_CHUNK = 65536


def conditional_headers(etag: str | None, last_modified: str | None) -> dict[str, str]:
    """Headers that make a request conditional; empty if no validator is known."""
    headers = {"If-None-Match": etag, "If-Modified-Since": last_modified}
    return {name: value for name, value in headers.items() if value and value.isascii()}


@dataclass(frozen=True)
class Response:
    """A response with its whole body (empty unless the status is 200); header names are lower-cased."""

    url: str
    status: int
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)


class PageTransport:
    """Fetches pages through a requests session, which is not thread-safe: make one object per thread."""

    def __init__(self, user_agent: str, timeout: float, max_bytes: int, host_overrides: HostOverrides):
        self._timeout, self._max_bytes = timeout, max_bytes
        self._session = requests.Session()
        self._session.headers.update({"User-Agent": user_agent, "Accept": "text/html,*/*;q=0.5"})
        if host_overrides:
            self._session.trust_env = False
            self._session.mount("http://", _OverridingAdapter(host_overrides))

    def get(self, url: str, headers: Mapping[str, str]) -> Response:
        """One request; redirects are not followed. Raises TransientError or TooLarge."""
        deadline = time.monotonic() + self._timeout
        try:
            with self._session.get(
                url, headers=dict(headers), stream=True, timeout=self._timeout, allow_redirects=False
            ) as response:
                body = b""
                if response.status_code == 200:
                    # read1 returns what has arrived: waiting for a whole chunk could miss the deadline.
                    chunks = iter(partial(response.raw.read1, _CHUNK, decode_content=True), b"")
                    body = _read(chunks, self._max_bytes, deadline)
                names = {name.lower(): value for name, value in response.headers.items()}
                return Response(url, response.status_code, names, body)
        except (requests.RequestException, urllib3.exceptions.HTTPError, UnicodeError) as error:
            raise TransientError(_reason(error)) from error


class _OverridingAdapter(HTTPAdapter):
    def __init__(self, host_overrides: HostOverrides):
        self._host_overrides = host_overrides
        super().__init__()

    def get_connection_with_tls_context(
        self, request: Any, verify: Any, proxies: Any = None, cert: Any = None
    ) -> Any:
        host = urlsplit(request.url).netloc
        if host not in self._host_overrides:
            return super().get_connection_with_tls_context(request, verify, proxies, cert)
        request.headers["Host"] = host
        address, port = self._host_overrides[host]
        return self.poolmanager.connection_from_host(address, port, "http")


class ImageTransport:
    """Fetches images, from any number of threads; bodies are requested and taken without compression.

    There is one httpx client per concurrent request: a single client spends much of its time searching its
    connection pool.
    """

    def __init__(self, user_agent: str, timeout: float, max_bytes: int, host_overrides: HostOverrides):
        self._timeout, self._max_bytes, self._host_overrides = timeout, max_bytes, host_overrides
        self._headers = {
            "User-Agent": user_agent,
            "Accept": "image/*,*/*;q=0.5",
            "Accept-Encoding": "identity",
        }
        self._ssl = httpx.create_ssl_context()
        self._idle: list[httpx.Client] = []

    @contextmanager
    def _client(self) -> Iterator[httpx.Client]:
        try:
            client = self._idle.pop()
        except IndexError:
            client = httpx.Client(
                headers=self._headers,
                transport=_OverridingTransport(self._host_overrides) if self._host_overrides else None,
                timeout=self._timeout,
                trust_env=not self._host_overrides,
                verify=self._ssl,
            )
        yield client
        self._idle.append(client)

    def get(self, url: str, headers: Mapping[str, str]) -> Response:
        """One request; redirects are not followed. Raises TransientError or TooLarge."""
        deadline = time.monotonic() + self._timeout
        try:
            with (
                self._client() as client,
                client.stream("GET", url, headers=dict(headers), follow_redirects=False) as response,
            ):
                body = b""
                if response.status_code == 200:
                    if response.headers.get("content-encoding", "identity") != "identity":
                        raise TransientError(
                            Reason(ReasonKind.CONTENT_ENCODING, "compressed without being asked to be")
                        )
                    body = _read(response.iter_raw(), self._max_bytes, deadline)
                return Response(url, response.status_code, dict(response.headers), body)
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            raise TransientError(_reason(error)) from error


class _OverridingTransport(httpx.HTTPTransport):
    def __init__(self, host_overrides: HostOverrides):
        self._host_overrides = host_overrides
        super().__init__()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        address = self._host_overrides.get(request.url.netloc.decode())
        if address is not None:  # the Host header was set from the URL when the request was built
            request.url = request.url.copy_with(host=address[0], port=address[1])
        return super().handle_request(request)


def _read(chunks: Iterable[bytes], max_bytes: int, deadline: float) -> bytes:
    parts, size = [], 0
    for chunk in chunks:
        parts.append(chunk)
        size += len(chunk)
        if size > max_bytes:
            raise TooLarge(max_bytes)
        if time.monotonic() > deadline:
            raise TransientError(Reason(ReasonKind.TIMEOUT, "timeout"))
    return b"".join(parts)


def _reason(error: Exception) -> Reason:
    kind = type(error).__name__
    if "Timeout" in kind or "timed out" in str(error):
        return Reason(ReasonKind.TIMEOUT, "timeout")
    if "Connection aborted" in str(error) or kind in (
        "ChunkedEncodingError",
        "RemoteProtocolError",
        "IncompleteRead",
        "ProtocolError",
        "ReadError",
    ):
        return Reason(ReasonKind.CONNECTION_CUT, "connection cut off")
    if "SSL" in kind or "CERTIFICATE" in str(error):
        return Reason(ReasonKind.CERTIFICATE, "certificate not accepted")
    if "Connect" in kind:
        return Reason(ReasonKind.NO_CONNECTION, "no connection")
    return Reason(ReasonKind.UNUSABLE_RESPONSE, f"no usable answer ({kind})")
