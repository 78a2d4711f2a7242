"""The demo store as an HTTP/1.1 server on loopback; `start` runs it in a separate process.

It serves `www.gemdemo.test` and `img.gemdemo.test` (see `pages`), distinguished by the Host header.
`/-/stats` has no rate limit. It serves JSON with `statuses` ({status: count}), `requests` ({host + path:
{status: count}}), `bytes` sent in bodies and `per_second` ([{status: count}] since the first request).
Status 0 counts responses whose body was cut off on purpose.
"""

import hashlib
import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date
from email.utils import formatdate, parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import socket
from typing import TypedDict

from gemkit.errors import UserError
from scraper.demo_store import pages
from scraper.demo_store.catalogue import Catalogue, build
from scraper.demo_store.rate_limit import RateLimit, RateLimiter, Verdict
from scraper.demo_store.render import prepare

#: The first request of 1 in 97 URLs gets a 503, that of 1 in 89 images a truncated body.
_UNAVAILABLE_ONE_IN = 97
_CUT_OFF_ONE_IN = 89

_TYPES = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp"}
_HTML = "text/html; charset=utf-8"


@dataclass(frozen=True)
class Response:
    """A complete successful response, before the rate limit and faults."""

    content: bytes
    content_type: str
    modified: float

    @property
    def etag(self) -> str:
        """Strong validator of the content."""
        return f'"{hashlib.sha256(self.content).hexdigest()[:20]}"'


class Shop:
    """The state behind the requests: catalogue, files, rate limit and counters."""

    def __init__(self, catalogue: Catalogue, folder: Path, rate_limit: RateLimit):
        self.catalogue, self.folder = catalogue, folder
        self.rate_limiter = RateLimiter(rate_limit)
        newest = max(product.added for product in catalogue.products.values())
        self._modified = _seconds(newest)
        self._lock = threading.Lock()
        self._requests: defaultdict[str, Counter[int]] = defaultdict(Counter)
        self._per_second: list[Counter[int]] = []
        self._first: float | None = None
        self._bytes = 0
        self._seen: set[str] = set()

    def find(self, host: str, path: str) -> Response | None:
        """The response for a path on a host; None if nothing is there."""
        if path == "/robots.txt" and host in pages.ROBOTS:
            return Response(pages.ROBOTS[host].encode(), "text/plain; charset=utf-8", self._modified)
        if host == pages.IMAGE_HOST:
            return self._image(path)
        if host != pages.PAGE_HOST:
            return None
        if path == "/sitemap.xml":
            return Response(pages.sitemap(self.catalogue).encode(), "application/xml", self._modified)
        html = pages.page(self.catalogue, path)
        return None if html is None else Response(html.encode(), _HTML, self._modified)

    def _image(self, path: str) -> Response | None:
        photo = self.catalogue.by_path.get(path)
        if photo is None or photo.kind == "missing":
            return None
        if photo.kind == "html":
            return Response(pages.no_image().encode(), _HTML, _seconds(photo.added))
        return Response((self.folder / path[1:]).read_bytes(), _TYPES[photo.suffix], _seconds(photo.added))

    def fault(self, host: str, path: str) -> str | None:
        """`unavailable` or `cut off` for the first request of a few URLs, which depend on the seed alone."""
        digest = hashlib.sha256(f"{self.catalogue.seed} {host}{path}".encode()).digest()
        number = int.from_bytes(digest[:4])
        with self._lock:
            first = path not in self._seen
            self._seen.add(path)
        if first and number % _UNAVAILABLE_ONE_IN == 0:
            return "unavailable"
        if first and number % _CUT_OFF_ONE_IN == 0 and host == pages.IMAGE_HOST:
            return "cut off"
        return None

    def count(self, host: str, path: str, status: int, sent: int) -> None:
        """Count one response."""
        now = time.monotonic()
        with self._lock:
            self._first = self._first or now
            second = int(now - self._first)
            while len(self._per_second) <= second:
                self._per_second.append(Counter())
            self._per_second[second][status] += 1
            self._requests[host + path][status] += 1
            self._bytes += sent

    def stats(self) -> dict[str, object]:
        """The counters, in the format described at the top of this module."""
        with self._lock:
            statuses: Counter[int] = Counter()
            for counts in self._requests.values():
                statuses.update(counts)
            return {
                "statuses": statuses,
                "requests": self._requests,
                "bytes": self._bytes,
                "per_second": self._per_second,
            }


def _seconds(day: date) -> float:
    return float((day.toordinal() - 719_163) * 86_400)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "GemDemo/1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 60
    shop: Shop

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        host = self.headers.get("Host", "").partition(":")[0].lower()
        if path == "/-/stats":
            self._send(200, json.dumps(self.shop.stats()).encode(), {"Content-Type": "application/json"})
            return
        status, sent = self._respond(host, path)
        self.shop.count(host, path, status, sent)

    do_HEAD = do_GET

    def _respond(self, host: str, path: str) -> tuple[int, int]:
        verdict, wait = self.shop.rate_limiter.check(self.client_address[0], host)
        if verdict is Verdict.TOO_FAST:
            return self._send(429, b"Too many requests.\n", {"Retry-After": str(max(1, math.ceil(wait)))})
        if verdict is Verdict.BLOCKED:
            return self._send(403, b"Access denied.\n", {})
        fault = self.shop.fault(host, path)
        if fault == "unavailable":
            return self._send(503, b"Service unavailable.\n", {"Retry-After": "1"})
        response = self.shop.find(host, path)
        if response is None:
            return self._send(404, b"Not found.\n", {"Content-Type": "text/plain"})
        headers = {
            "Content-Type": response.content_type,
            "ETag": response.etag,
            "Last-Modified": formatdate(response.modified, usegmt=True),
        }
        if self._unchanged(response):
            del headers["Content-Type"]
            return self._send(304, b"", headers)
        return self._send(200, response.content, headers, cut_off=fault == "cut off")

    def _unchanged(self, response: Response) -> bool:
        """Evaluate conditional headers; If-None-Match takes precedence (RFC 9110, section 13.2.2)."""
        if tags := self.headers.get("If-None-Match"):
            return tags.strip() == "*" or response.etag in [
                tag.strip().removeprefix("W/") for tag in tags.split(",")
            ]
        if since := self.headers.get("If-Modified-Since"):
            try:
                return response.modified <= parsedate_to_datetime(since).timestamp()
            except ValueError:
                return False
        return False

    def _send(
        self, status: int, content: bytes, headers: dict[str, str], cut_off: bool = False
    ) -> tuple[int, int]:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        body = content[: len(content) // 2] if cut_off else content
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()
        self.close_connection = self.close_connection or cut_off
        return (0 if cut_off else status), len(body)

    def log_message(self, format: str, *args: object) -> None:
        """Do nothing: requests are counted, not logged."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: socket | tuple[bytes, socket], client_address: object) -> None:
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


def open_store(
    seed: int,
    scale: float,
    dirt: float = 1.0,
    port: int = 0,
    rate_limit: RateLimit | None = None,
    *,
    cache: Path,
) -> ThreadingHTTPServer:
    """Render the files missing in `cache` and bind a server on 127.0.0.1 (port 0: any).

    The caller runs and closes it.
    """
    catalogue = build(seed, scale, dirt)
    shop = Shop(catalogue, prepare(catalogue, cache), rate_limit or RateLimit())
    handler = type("Handler", (_Handler,), {"shop": shop})
    try:
        return _Server(("127.0.0.1", port), handler)
    except OSError as error:
        raise UserError(
            f"The demo store cannot listen on port {port}: {error.strerror}; choose another port."
        ) from None


def serve(seed: int, scale: float, port: int, rate: float, cache: Path) -> None:
    """Serve until Ctrl-C; prints the address and how to reach the two hosts."""
    with open_store(seed, scale, port=port, rate_limit=RateLimit(rate=rate), cache=cache) as server:
        port = server.server_address[1]
        print(f"The demo store listens on 127.0.0.1:{port} for {pages.PAGE_HOST} and {pages.IMAGE_HOST}.")
        print(f"curl --connect-to ::127.0.0.1:{port} http://{pages.PAGE_HOST}/gemstones")
        print("Press Ctrl-C to stop.", flush=True)
        server.serve_forever()


class Stats(TypedDict):
    """The counters of `/-/stats`; statuses are strings, as JSON keys are."""

    statuses: dict[str, int]
    requests: dict[str, dict[str, int]]
    bytes: int
    per_second: list[dict[str, int]]


@dataclass(frozen=True)
class _Settings:
    """The orders of the store's process, as JSON: see `start`."""

    seed: int
    scale: float
    dirt: float
    port: int
    rate_limit: RateLimit
    cache: str

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "_Settings":
        values = json.loads(text)
        return cls(**{**values, "rate_limit": RateLimit(**values["rate_limit"])})


@dataclass(frozen=True)
class RunningStore:
    """The address of a running store."""

    host: str
    port: int

    def stats(self) -> Stats:
        """The counters so far."""
        from urllib.request import urlopen

        with urlopen(f"http://{self.host}:{self.port}/-/stats", timeout=10) as response:
            stats: Stats = json.load(response)
        return stats


@contextmanager
def start(
    seed: int,
    scale: float,
    dirt: float = 1.0,
    port: int = 0,
    rate_limit: RateLimit | None = None,
    *,
    cache: Path,
) -> Iterator[RunningStore]:
    """Run the store in a separate process until the block or this process ends.

    Photos are rendered first (progress on stderr) and kept in `cache`. Raises UserError if it cannot start.
    """
    settings = _Settings(seed, scale, dirt, port, rate_limit or RateLimit(), str(cache))
    process = subprocess.Popen(
        [sys.executable, "-m", "scraper.demo_store", settings.to_json()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        start_new_session=True,
    )
    assert process.stdin and process.stdout
    try:
        line = process.stdout.readline()
        if not line.strip().isdigit():
            raise UserError("The demo store did not start; see its error message above.")
        yield RunningStore("127.0.0.1", int(line))
    finally:
        process.stdin.close()
        process.terminate()
        process.wait()
        process.stdout.close()


def run_child(text: str) -> None:
    """Main function of the process: print the port, then serve until stdin closes or the parent ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    told = _Settings.from_json(text)
    cache = Path(told.cache)
    with open_store(told.seed, told.scale, told.dirt, told.port, told.rate_limit, cache=cache) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()


def _end_with_stdin() -> None:
    sys.stdin.read()
    os._exit(0)
