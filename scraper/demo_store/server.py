"""The demo store as an HTTP/1.1 server on loopback; `start` runs it in a process of its own.

It serves `www.gemdemo.test` and `img.gemdemo.test` (see `pages`), told apart by the Host header, and, without
limits, `/-/stats`: JSON with `statuses` ({status: count}), `requests` ({host + path: {status: count}}),
`bytes` sent in bodies and `per_second` ([{status: count}] since the first request).
A status of 0 counts answers whose body was cut off on purpose.
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
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from gemkit.errors import UserError
from gemkit.memo import CACHE
from scraper.demo_store import pages
from scraper.demo_store.catalogue import Catalogue, build
from scraper.demo_store.rate_limit import Doorkeeper, Limits, Verdict
from scraper.demo_store.render import prepare

#: The first request of one URL in so many meets a 503, or a body that breaks off.
_UNAVAILABLE_ONE_IN = 97
_CUT_OFF_ONE_IN = 89

_TYPES = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp"}
_HTML = "text/html; charset=utf-8"


@dataclass(frozen=True)
class Answer:
    """A complete good answer before limits and mishaps."""

    content: bytes
    content_type: str
    modified: float

    @property
    def etag(self) -> str:
        """Strong validator of the content."""
        return f'"{hashlib.sha256(self.content).hexdigest()[:20]}"'


class Shop:
    """Catalogue, files, limits and counters behind the requests."""

    def __init__(self, catalogue: Catalogue, folder: Path, limits: Limits):
        self.catalogue, self.folder = catalogue, folder
        self.doorkeeper = Doorkeeper(limits)
        newest = max(product.added for product in catalogue.products.values())
        self._modified = _seconds(newest)
        self._lock = threading.Lock()
        self._requests: defaultdict[str, Counter[int]] = defaultdict(Counter)
        self._per_second: list[Counter[int]] = []
        self._first: float | None = None
        self._bytes = 0
        self._seen: set[str] = set()

    def find(self, host: str, path: str) -> Answer | None:
        """What lies at a path of a host, None where nothing does."""
        if path == "/robots.txt" and host in pages.ROBOTS:
            return Answer(pages.ROBOTS[host].encode(), "text/plain; charset=utf-8", self._modified)
        if host == pages.IMAGE_HOST:
            return self._image(path)
        if host != pages.PAGE_HOST:
            return None
        if path == "/sitemap.xml":
            return Answer(pages.sitemap(self.catalogue).encode(), "application/xml", self._modified)
        html = pages.page(self.catalogue, path)
        return None if html is None else Answer(html.encode(), _HTML, self._modified)

    def _image(self, path: str) -> Answer | None:
        photo = self.catalogue.by_path.get(path)
        if photo is None or photo.kind == "missing":
            return None
        if photo.kind == "html":
            return Answer(pages.no_image().encode(), _HTML, _seconds(photo.added))
        return Answer((self.folder / path[1:]).read_bytes(), _TYPES[photo.suffix], _seconds(photo.added))

    def mishap(self, host: str, path: str) -> str | None:
        """`unavailable` or `cut off` for the first request of a few URLs, the same ones for a seed."""
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
        """Count one answer."""
        now = time.monotonic()
        with self._lock:
            self._first = self._first or now
            second = int(now - self._first)
            while len(self._per_second) <= second:
                self._per_second.append(Counter())
            self._per_second[second][status] += 1
            self._requests[host + path][status] += 1
            self._bytes += sent

    def stats(self) -> dict[str, Any]:
        """The counters, as the module describes them."""
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


def _seconds(day: Any) -> float:
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
        status, sent = self._answer(host, path)
        self.shop.count(host, path, status, sent)

    do_HEAD = do_GET

    def _answer(self, host: str, path: str) -> tuple[int, int]:
        verdict, wait = self.shop.doorkeeper.ask(self.client_address[0], host)
        if verdict is Verdict.TOO_FAST:
            return self._send(429, b"Too many requests.\n", {"Retry-After": str(max(1, math.ceil(wait)))})
        if verdict is Verdict.BLOCKED:
            return self._send(403, b"Access denied.\n", {})
        mishap = self.shop.mishap(host, path)
        if mishap == "unavailable":
            return self._send(503, b"Service unavailable.\n", {"Retry-After": "1"})
        answer = self.shop.find(host, path)
        if answer is None:
            return self._send(404, b"Not found.\n", {"Content-Type": "text/plain"})
        headers = {
            "Content-Type": answer.content_type,
            "ETag": answer.etag,
            "Last-Modified": formatdate(answer.modified, usegmt=True),
        }
        if self._unchanged(answer):
            del headers["Content-Type"]
            return self._send(304, b"", headers)
        return self._send(200, answer.content, headers, cut_off=mishap == "cut off")

    def _unchanged(self, answer: Answer) -> bool:
        """RFC 9110, 13.2.2: If-None-Match is asked first and alone."""
        if tags := self.headers.get("If-None-Match"):
            return tags.strip() == "*" or answer.etag in [
                tag.strip().removeprefix("W/") for tag in tags.split(",")
            ]
        if since := self.headers.get("If-Modified-Since"):
            try:
                return answer.modified <= parsedate_to_datetime(since).timestamp()
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

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are counted, not logged."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


def open_store(
    seed: int,
    scale: float,
    dirt: float = 1.0,
    port: int = 0,
    limits: Limits | None = None,
    cache: Path = CACHE,
) -> ThreadingHTTPServer:
    """Render what is missing and bind a server on 127.0.0.1 (port 0: any); the caller runs and closes it."""
    catalogue = build(seed, scale, dirt)
    shop = Shop(catalogue, prepare(catalogue, cache), limits or Limits())
    handler = type("Handler", (_Handler,), {"shop": shop})
    try:
        return _Server(("127.0.0.1", port), handler)
    except OSError as error:
        raise UserError(
            f"The demo store cannot listen on port {port}: {error.strerror}; choose another port."
        ) from None


def serve(seed: int, scale: float, port: int, rate: float) -> None:
    """Serve until Ctrl-C; prints the address and how to reach the two hosts there."""
    with open_store(seed, scale, port=port, limits=Limits(rate=rate)) as server:
        port = server.server_address[1]
        print(f"The demo store listens on 127.0.0.1:{port} for {pages.PAGE_HOST} and {pages.IMAGE_HOST}.")
        print(f"curl --connect-to ::127.0.0.1:{port} http://{pages.PAGE_HOST}/gemstones")
        print("Ctrl-C ends it.", flush=True)
        server.serve_forever()


@dataclass(frozen=True)
class RunningStore:
    """Where a started store listens."""

    host: str
    port: int

    def stats(self) -> dict[str, Any]:
        """The counters of `/-/stats`; JSON makes the statuses strings."""
        from urllib.request import urlopen

        with urlopen(f"http://{self.host}:{self.port}/-/stats", timeout=10) as answer:
            return dict(json.load(answer))


@contextmanager
def start(
    seed: int,
    scale: float,
    dirt: float = 1.0,
    port: int = 0,
    limits: Limits | None = None,
    cache: Path = CACHE,
) -> Iterator[RunningStore]:
    """Run the store in a process of its own until the block ends, or until this process does.

    Photos are rendered first (progress on stderr) and kept in `cache`. Raises UserError when it cannot start.
    """
    limits = limits or Limits()
    settings = {
        "seed": seed, "scale": scale, "dirt": dirt, "port": port, "cache": str(cache), "limits": vars(limits),
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "scraper.demo_store", json.dumps(settings)],
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
            raise UserError("The demo store did not start; its own message stands above.")
        yield RunningStore("127.0.0.1", int(line))
    finally:
        process.stdin.close()
        process.terminate()
        process.wait()
        process.stdout.close()


def run_child(settings: dict[str, Any]) -> None:
    """The started process: print the port, serve until stdin closes, as it does when the parent ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    limits = Limits(**settings.pop("limits"))
    cache = Path(settings.pop("cache"))
    with open_store(**settings, limits=limits, cache=cache) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()


def _end_with_stdin() -> None:
    sys.stdin.read()
    os._exit(0)
