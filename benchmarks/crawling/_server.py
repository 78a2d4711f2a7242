"""A shop as an HTTP/1.1 server on loopback, fast enough not to be the bottleneck.

It is one process that serves from memory, keeps connections open, supports ETags, and logs every request:
`/-/requests` returns them as JSON, in order, each as [seconds (time.monotonic), path, status].
"""

import asyncio
import json
import multiprocessing
import os
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from multiprocessing.connection import Connection
from time import monotonic
from typing import NamedTuple, Protocol
from urllib.request import ProxyHandler, build_opener

from scraper.demo_store.rate_limit import RateLimit, RateLimiter, Verdict

_REASONS = {200: "OK", 304: "Not Modified", 403: "Forbidden", 404: "Not Found", 429: "Too Many Requests"}
_REQUESTS, _COUNT = "/-/requests", "/-/count"


class Shop(Protocol):
    """The content to serve."""

    def find(self, path: str) -> tuple[str, bytes] | None:
        """Content type and body of a path; None if there is nothing."""


class Request(NamedTuple):
    """A served request; `at` is of `time.monotonic`, which all processes share."""

    at: float
    path: str
    status: int

    @property
    def kind(self) -> str:
        """`image`, `page`, or `robots`."""
        if self.path == "/robots.txt":
            return "robots"
        return "image" if self.path.endswith(".jpg") else "page"


@dataclass(frozen=True)
class Server:
    """The address of a running server."""

    host: str

    @property
    def url(self) -> str:
        """Its URL without a path."""
        return f"http://{self.host}"

    def requests(self) -> list[Request]:
        """All requests so far."""
        return [Request(*entry) for entry in json.loads(self._get(_REQUESTS))]

    def count(self) -> int:
        """The number of requests so far."""
        return int(self._get(_COUNT))

    def _get(self, path: str) -> bytes:
        with build_opener(ProxyHandler({})).open(self.url + path, timeout=60) as response:
            body: bytes = response.read()
        return body


@contextmanager
def serve(
    make: Callable[[], Shop], limits: RateLimit | None = None, latency: float = 0.0, core: int | None = None
) -> Iterator[Server]:
    """Serve the shop that `make` returns, in a separate process, until the block or this process ends.

    `limits` reject clients that are too fast, each response takes `latency` seconds, and the server runs only
    on `core`.
    """
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_run, args=(there, make, limits, latency, core), daemon=True)
    process.start()
    there.close()
    try:
        yield Server(f"127.0.0.1:{here.recv()}")
    finally:
        here.close()
        process.terminate()
        process.join()


def _run(
    parent: Connection, make: Callable[[], Shop], limits: RateLimit | None, latency: float, core: int | None
) -> None:
    if core is not None:
        os.sched_setaffinity(0, {core})
    asyncio.run(_serve(parent, _Handler(make(), limits, latency)))


async def _serve(parent: Connection, handler: "_Handler") -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(handler, loop), "127.0.0.1", 0, backlog=1024)
    threading.Thread(target=_end_with, args=[parent], daemon=True).start()
    parent.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def _end_with(parent: Connection) -> None:
    parent.poll(None)
    os._exit(0)


class _Handler:
    """The shop shared by all connections, and the log of its requests."""

    def __init__(self, shop: Shop, limits: RateLimit | None, latency: float):
        self.shop, self.latency = shop, latency
        self.door = RateLimiter(limits) if limits else None
        self.requests: list[tuple[float, str, int]] = []

    def respond(self, path: str, head: bytes) -> bytes:
        if path == _REQUESTS:
            return _response(200, json.dumps(self.requests).encode())
        if path == _COUNT:
            return _response(200, str(len(self.requests)).encode())
        status, body, headers = self._decide(path, head)
        self.requests.append((monotonic(), path, status))
        return _response(status, body, headers)

    def _decide(self, path: str, head: bytes) -> tuple[int, bytes, str]:
        if self.door is not None:
            verdict, wait = self.door.check("", "")
            if verdict is Verdict.TOO_FAST:
                return 429, b"", f"Retry-After: {max(1, ceil(wait))}\r\n"
            if verdict is Verdict.BLOCKED:
                return 403, b"", ""
        if path == "/robots.txt":
            return 200, b"User-agent: *\nAllow: /\n", "Content-Type: text/plain\r\n"
        found = self.shop.find(path)
        if found is None:
            return 404, b"", ""
        tag = f'"{zlib.crc32(found[1]):08x}"'
        if tag.encode() in head:  # only If-None-Match contains it
            return 304, b"", f"ETag: {tag}\r\n"
        return 200, found[1], f"ETag: {tag}\r\nContent-Type: {found[0]}\r\n"


def _response(status: int, body: bytes, headers: str = "") -> bytes:
    length = "" if status == 304 else f"Content-Length: {len(body)}\r\n"
    return f"HTTP/1.1 {status} {_REASONS[status]}\r\n{headers}{length}\r\n".encode() + body


class _Connection(asyncio.Protocol):
    def __init__(self, handler: _Handler, loop: asyncio.AbstractEventLoop):
        self._handler, self._loop = handler, loop
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head, self._received = self._received[:end], self._received[end + 4 :]
            path = head.split(b" ", 2)[1].decode("latin-1").partition("?")[0]
            response = self._handler.respond(path, head)
            if self._handler.latency:
                self._loop.call_later(self._handler.latency, self._transport.write, response)
            else:
                self._transport.write(response)
