"""A small web shop on loopback with scripted replies, which logs its requests."""

import hashlib
import io
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

from PIL import Image

from tests.helpers.project import empty_project

PER_PAGE = 3


def jpeg(seed: int, side: int = 48) -> bytes:
    """A small JPEG, different for each seed."""
    digest = hashlib.sha256(str(seed).encode()).digest()
    image = Image.frombytes("RGB", (8, 4), (digest * 3)[:96]).resize((side, side))
    out = io.BytesIO()
    image.save(out, "JPEG")
    return out.getvalue()


@dataclass
class Reply:
    """A response, sent after `delay` seconds."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that disconnect: tests provoke it."""


class Shop:
    """`with Shop(products=6) as shop`: products gp0, gp1, … with two images each.

    All are in the class Ruby, those with an even number also in Red stones.
    `replies[path]` is a list of replies to send in turn instead of the shop's own; the last one is repeated.
    `requests` are (time, path, headers).
    """

    def __init__(self, products: int = 6, rate: float = 200.0, robots: str = "", validators: bool = True):
        self.products, self.rate, self.robots, self.validators = products, rate, robots, validators
        self.replies: dict[str, list[Reply]] = {}
        self.requests: list[tuple[float, str, dict[str, str]]] = []
        self.images = {
            f"/img/gp{n}-{side}.jpg": jpeg(10 * n + side) for n in range(products) for side in (1, 2)
        }
        self.extra: dict[str, list[str]] = {}  # product → further image URLs
        self.gallery = True
        self.next = "a[rel=next]"  # the selector of the link to the next page
        self.settings = ""  # further keys of the site file
        self._lock = threading.Lock()

    def __enter__(self) -> "Shop":
        self._server = _Server(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._server.serve_forever, args=[0.05], daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def counts(self) -> Counter[str]:
        """How often each path was requested."""
        return Counter(path for _, path, _ in self.requests)

    def image_requests(self) -> Counter[str]:
        return Counter({path: count for path, count in self.counts.items() if path.startswith("/img/")})

    def site(self, folder: Path, limits: str = "") -> str:
        """Write the shop's site file into a folder, which becomes a project; returns the file's name."""
        empty_project(folder)
        (folder / "shop.toml").write_text(
            f"""
title = "Shop"
start_url = "http://{self.host}/gems"
page_hosts = ["{self.host}"]
image_hosts = ["{self.host}"]
contact = "me@example.org"
{self.settings}
[limits]
requests_per_second = {self.rate}
timeout_seconds = 2
attempts = 3
{limits}
[categories]
card = "a.class"
[pagination]
next = "{self.next}"
[products]
link = "a.product"
[product]
id = {{ read = "url", pattern = '/p/(gp\\d+)' }}
title = {{ read = "css", selector = "h1" }}
attributes = {{ row = "tr", name = "th", value = "td" }}
[[images]]
read = "css"
selector = "img"
attribute = "src"
strip_query = true
[[images]]
read = "json-ld"
key = "image"
"""
        )
        return "shop.toml"

    def _page(self, path: str) -> bytes | None:
        if path == "/gems":
            red = '<a class="class" href="c/red/1?sid=7"> Red \n stones</a>'
            return f'<a class="class" href="/c/ruby/1">Ruby</a>{red}'.encode()
        parts = path.split("/")
        if parts[1] == "c":
            counts = [n for n in range(self.products) if parts[2] == "ruby" or n % 2 == 0]
            first = (int(parts[3]) - 1) * PER_PAGE
            links = "".join(
                f'<a class="product" href="/p/gp{n}">x</a>' for n in counts[first : first + PER_PAGE]
            )
            more = (
                f'<a rel="next" href="{int(parts[3]) + 1}">next</a>' if first + PER_PAGE < len(counts) else ""
            )
            return (links + more).encode()
        if parts[1] == "p":
            name = parts[2]
            urls = [path for path in self.images if path.startswith(f"/img/{name}-")] + self.extra.get(
                name, []
            )
            if self.gallery:
                shown = "".join(f'<img src="{url}?w=500">' for url in urls)
            else:
                listed = ", ".join(f'{{"@type": "ImageObject", "url": "{url}"}}' for url in urls)
                graph = f'{{"@graph": [{{"@type": ["Product"], "image": [{listed}]}}]}}'
                shown = f'<script type="application/ld+json">{graph}</script>'
            return f"<h1>Stone  {name} ✨</h1><table><tr><th>Cut<td>oval</table>{shown}".encode()
        return None

    def _own_reply(self, path: str) -> Reply:
        if path == "/robots.txt":
            return Reply(200, self.robots.encode()) if self.robots else Reply(404)
        body = self.images[path] if path in self.images else self._page(path)
        if body is None:
            return Reply(404)
        tag = {"ETag": f'"{hashlib.md5(body).hexdigest()}"'} if self.validators else {}
        return Reply(200, body, tag)

    def _reply(self, path: str, headers: dict[str, str]) -> Reply:
        with self._lock:
            self.requests.append((time.monotonic(), path, headers))
            queue = self.replies.get(path)
            if queue:
                return queue.pop(0) if len(queue) > 1 else queue[0]
        reply = self._own_reply(path)
        if reply.headers.get("ETag") and headers.get("if-none-match") == reply.headers["ETag"]:
            return Reply(304, b"", reply.headers)
        return reply

    def _handler(shop) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                reply = shop._reply(self.path.partition("?")[0], headers)
                time.sleep(reply.delay)
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                if reply.status != 304:
                    self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Handler
