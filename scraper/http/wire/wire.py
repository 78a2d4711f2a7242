"""Requests and responses on connections that are kept for later: the wire of pages and images alike."""

import ssl
import threading
from collections.abc import Container, Mapping
from dataclasses import dataclass

from scraper.http.errors import FetchError, TransientError
from scraper.http.failures import invalid_url
from scraper.http.proxies import proxy_for
from scraper.http.wire.connection import Origin, Route, open_stream
from scraper.http.wire.deadline import Deadline
from scraper.http.wire.framing import Body, body_of, is_reusable
from scraper.http.wire.head import Head, Lines, read_head
from scraper.http.wire.stream import Stream
from scraper.tables import ReasonKind

#: Virtual host → the address to connect to instead (like curl's --connect-to).
HostOverrides = Mapping[str, tuple[str, int]]

#: Connections that are kept open; a crawl has at most this many requests at a time.
_MAX_IDLE = 64

#: Bytes of a body that are read at a time.
CHUNK = 65_536

#: Seconds after which a host may close a connection just when the next request is sent: most wait for five.
_MAY_CLOSE = 4.0

#: Seconds after a response in which its end shows if a host closes each connection without saying so.
_MAY_FOLLOW = 0.05

_UNSENDABLE = frozenset(b"\x00\r\n")


@dataclass(frozen=True)
class WireRequest:
    """A GET request; `target` is the path and the query of the URL."""

    origin: Origin
    target: str
    headers: Lines

    @property
    def url(self) -> str:
        """The whole URL."""
        return f"{'https' if self.origin.secure else 'http'}://{self.origin.name}{self.target}"

    def head(self, route: Route) -> bytes:
        """The request as it is sent. Raises FetchError if it would end early."""
        lines = [*self.headers]
        if route.forwarded and route.forwarded.authorization:
            lines.append((b"Proxy-Authorization", route.forwarded.authorization.encode()))
        target = self.url if route.forwarded else self.target
        parts = [b"GET %b HTTP/1.1" % target.encode("ascii"), b"Host: %b" % self.origin.name.encode("ascii")]
        parts += [b"%b: %b" % line for line in lines if line[0].lower() != b"host"]
        if not all(_UNSENDABLE.isdisjoint(part) for part in parts):
            raise invalid_url()
        return b"\r\n".join([*parts, b"", b""])


class Answer:
    """A response whose body still arrives. It must be closed."""

    def __init__(self, head: Head, body: Body, stream: Stream, wire: "Wire", origin: Origin):
        self.status, self.lines = head.status, head.lines
        self._reusable = is_reusable(head)
        self._body, self._stream, self._wire, self._origin = body, stream, wire, origin
        self.closed = False

    def read(self, most: int = CHUNK) -> bytes:
        """The next bytes of the body, up to `most`; none at its end. Raises TransientError and FetchError."""
        return self._body.read(most)

    def close(self) -> None:
        """Keep the connection for another request, if the response has ended well."""
        if self.closed:
            return
        self.closed = True
        rest = self._body.rest
        if rest and rest <= self._stream.arrived:
            self._body.read(rest)
        if self._reusable and self._body.complete and self._stream.is_silent():
            self._wire.keep(self._origin, self._stream)
        else:
            self._stream.close()


class Wire:
    """Sends requests, from any number of threads.

    A host that is not in `private_hosts` (names as in URLs) must have a public address. `tls` says which
    certificates are accepted. With `overrides` no proxy is used.
    """

    def __init__(self, tls: ssl.SSLContext, private_hosts: Container[str], overrides: HostOverrides):
        self._tls, self._private_hosts, self._overrides = tls, private_hosts, overrides
        self._routes: dict[Origin, Route] = {}
        self._idle: list[tuple[Origin, Stream]] = []
        self._lock = threading.Lock()

    def send(self, request: WireRequest, deadline: Deadline) -> Answer:
        """The response to a request. Raises TransientError, and FetchError if it concerns this URL alone."""
        origin = request.origin
        if origin not in self._routes:
            self._routes[origin] = self._route(request)
        route = self._routes[origin]
        content = request.head(route)
        stream = self._take(origin, deadline)
        head = _answer_on_kept(stream, content) if stream else None
        if stream is None or head is None:
            stream = open_stream(route, self._tls, deadline)
            head = _exchanged(stream, content)
        try:
            return Answer(head, body_of(head, stream), stream, self, origin)
        except FetchError:
            stream.close()
            raise

    def keep(self, origin: Origin, stream: Stream) -> None:
        """Keep a connection on which nothing is left to read."""
        with self._lock:
            self._idle.append((origin, stream))
            surplus = self._idle.pop(0)[1] if len(self._idle) > _MAX_IDLE else None
        if surplus:
            surplus.close()

    def _route(self, request: WireRequest) -> Route:
        origin = request.origin
        if origin.name in self._overrides:
            return Route(origin, *self._overrides[origin.name], proxy=None, public_only=False)
        proxy = None if self._overrides else proxy_for(request.url)
        public_only = origin.name not in self._private_hosts
        return Route(origin, origin.host, origin.port, proxy, public_only)

    def _take(self, origin: Origin, deadline: Deadline) -> Stream | None:
        while stream := self._pop(origin):
            if stream.is_silent(0.0 if stream.reused else _MAY_FOLLOW):
                stream.deadline, stream.reused = deadline, True
                return stream
            stream.close()
        return None

    def _pop(self, origin: Origin) -> Stream | None:
        """The connection to an origin that was used last."""
        with self._lock:
            for index in reversed(range(len(self._idle))):
                if self._idle[index][0] == origin:
                    return self._idle.pop(index)[1]
        return None


def _answer_on_kept(stream: Stream, content: bytes) -> Head | None:
    """The head of the response on a kept connection; None if that is of no use any more."""
    may_be_closed = stream.idle_seconds > _MAY_CLOSE
    try:
        return _exchanged(stream, content)
    except FetchError:  # what has arrived belongs to an earlier response
        return None
    except TransientError as error:
        if may_be_closed and error.reason.kind == ReasonKind.CONNECTION_CUT:
            return None
        raise


def _exchanged(stream: Stream, content: bytes) -> Head:
    try:
        stream.send(content)
        return read_head(stream)
    except BaseException:
        stream.close()
        raise
