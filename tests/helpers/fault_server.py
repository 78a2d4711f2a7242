"""A shop on loopback in which every image, every page and every host has a fault of its own.

`python -m tests.helpers.fault_server` prints one line of JSON with the port of each host and serves until its
stdin closes. All hosts speak HTTP except `https`; nothing listens at `closed`. At the end it prints another
line: for each host, how often each path was requested. The faults are in `fault_responses`.

The host `shop` has the pages: an index with a class for each other host, and a product for each fault of that
host, which shows the faulty image and a good one.
"""

import json
import socket
import socketserver
import ssl
import struct
import sys
import tempfile
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from html import escape
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.helpers import fault_responses
from tests.helpers.crawl_shop import jpeg
from tests.helpers.fault_responses import HOSTILE_TEXT, RESET, RULES, Response, Responses, http

#: The last page of the endless category with new products, so that every crawler ends.
LAST_PAGE = 100


class Host(socketserver.ThreadingTCPServer):
    """A host and its responses by path. It listens only after `start`."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, responses: Callable[[str], list[Response]]):
        super().__init__(("127.0.0.1", 0), _Handler, bind_and_activate=False)
        self.server_bind()
        self.responses = responses
        self.requests: Counter[str] = Counter()
        self._lock = threading.Lock()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def start(self) -> None:
        self.server_activate()
        threading.Thread(target=self.serve_forever, args=[0.05], daemon=True).start()

    def response(self, path: str) -> Response:
        """The next response of a path."""
        responses = self.responses(path)
        with self._lock:
            self.requests[path] += 1
            return responses[min(self.requests[path], len(responses)) - 1]

    def shutdown_request(self, request: socket.socket) -> None:  # type: ignore[override]
        """Close at once: otherwise a FIN would be sent before an RST."""
        self.close_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore clients that hang up: this server provokes it."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Host

    def do_GET(self) -> None:
        for step in self.server.response(self.path.partition("?")[0]):
            if isinstance(step, float):
                time.sleep(step)
            elif isinstance(step, bytes):
                self.wfile.write(step)
            elif callable(step):
                self.wfile.write(step())
            else:
                self.close_connection = True
                if step == RESET:  # closing a socket with a linger time of 0 sends RST
                    linger = struct.pack("ii", 1, 0)
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    def log_message(self, format: str, *args: object) -> None:
        pass


class Shop:
    """All hosts, and the names of the faults of each."""

    def __init__(self) -> None:
        self.hosts = {"shop": Host(self._page)}
        self._faults: dict[str, list[str]] = {}
        self._add("images", fault_responses.images())
        for kind, responses in fault_responses.retry_after(429).items():
            self._add(f"busy-{kind}", {kind: responses})
        self._add("down-500", fault_responses.retry_after(500))
        self._add("down-503", fault_responses.retry_after(503))
        self._add("later", fault_responses.far_too_long())
        self._add("leftover", fault_responses.leftover())
        self._add("burst", fault_responses.burst())
        self._add("https", {})
        self._add("closed", {})
        for state, responses in fault_responses.robots().items():
            self._add(f"robots-{state}", {}, responses)
        self._faulty_pages = fault_responses.pages(self._image("images", "page-{}"))

    def start(self) -> None:
        certify(self.hosts["https"])
        for name, host in self.hosts.items():
            if name != "closed":
                host.start()

    def _add(self, name: str, faults: Responses, robots: list[Response] | None = None) -> None:
        def responses(path: str) -> list[Response]:
            if path.endswith(".txt"):
                return robots if robots and path == "/robots.txt" else [[http(RULES)]]
            fault = faults.get(path.removeprefix("/img/").removesuffix(".jpg"))
            return fault or [[http(jpeg(zlib.crc32(path.encode())))]]

        self.hosts[name] = Host(responses)
        self._faults[name] = list(faults) or ["forbidden"]

    def _image(self, host: str, name: str) -> str:
        scheme = "https" if host == "https" else "http"
        return f"{scheme}://127.0.0.1:{self.hosts[host].port}/img/{name}.jpg"

    def _page(self, path: str) -> list[Response]:
        match path.split("/")[1:]:
            case ["robots.txt"]:
                return [[http(RULES)]]
            case ["page", fault]:
                return self._faulty_pages[fault]
            case [""]:
                content = "".join(_link("class", url, name) for url, name in self._classes().items())
            case ["class", host]:
                content = _products(f"/product/{host}/{fault}" for fault in self._faults[host])
            case ["product", host, fault]:
                content = self._product(fault, self._image(host, fault), self._image(host, f"{fault}-good"))
            case ["faulty"]:
                content = _products(f"/page/{fault}" for fault in self._faulty_pages)
            case ["visits"]:
                visits = ("?sid=1", "?PHPSESSID=2&utm_source=x", ";jsessionid=3", "?sid=4#top", "")
                content = _products(f"/visit{visit}" for visit in visits)
            case ["visit"]:
                image = self._image("images", "visit")
                content = self._product("visit", f"{image}?sid=1", f"{image}?utm_source=x&SID=2")
            case ["same", number]:
                content = _products(["/endless/0"]) + _next(f"/same/{int(number) + 1}?sid={number}")
            case ["new", number]:
                content = _products([f"/endless/{number}"])
                content += _next(f"/new/{int(number) + 1}") if int(number) < LAST_PAGE else ""
            case ["endless", number]:
                content = self._product(number, self._image("images", f"endless-{number}"))
            case ["hostile", name]:
                content = _products([f"/hostile-product/{name}"])
            case ["hostile-product", name]:
                text = HOSTILE_TEXT[name]
                content = self._product(text, self._image("images", quote(text, safe="")))
            case _:
                return [[http(status=404)]]
        return [[http(f'<meta charset="utf-8">{content}'.encode())]]

    def _classes(self) -> dict[str, str]:
        """Class names by the URL of their page."""
        return {
            **{f"/class/{host}": host for host in self._faults},
            "/faulty": "faulty",
            "/page/status-500": "broken",
            "/page/loop": "loop",
            "/visits?sid=1": "visits",
            "/visits;jsessionid=2": "visits",
            "/same/1": "same",
            "/new/1": "new",
            **{f"/hostile/{name}": text for name, text in HOSTILE_TEXT.items()},
        }

    def _product(self, title: str, *images: str) -> str:
        shown = "".join(f'<img src="{escape(image)}">' for image in images)
        return f"<h1>{escape(title)}</h1><table><tr><th>{escape(title)}<td>{escape(title)}</table>{shown}"


def _link(kind: str, url: str, text: str = "x") -> str:
    return f'<a class="{kind}" href="{escape(url)}">{escape(text)}</a>'


def _products(urls: Iterable[str]) -> str:
    return "".join(_link("product", url) for url in urls)


def _next(url: str) -> str:
    return f'<a rel="next" href="{escape(url)}">next</a>'


def certify(host: Host) -> bytes:
    """Make the host speak HTTPS with a self-signed certificate; returns the certificate (PEM)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    serial, later = x509.random_serial_number(), now + timedelta(days=1)
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder(name, name, key.public_key(), serial, now, later)
    builder = builder.add_extension(address, critical=False)
    certificate = builder.sign(key, hashes.SHA256())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        public = certificate.public_bytes(Encoding.PEM)
        file.write(private + public)
        file.flush()
        context.load_cert_chain(file.name)
    host.socket = context.wrap_socket(host.socket, server_side=True)
    return public


def main() -> None:
    """Serve until stdin closes."""
    shop = Shop()
    shop.start()
    print(json.dumps({name: host.port for name, host in shop.hosts.items()}), flush=True)
    sys.stdin.read()
    print(json.dumps({name: host.requests for name, host in shop.hosts.items()}), flush=True)


if __name__ == "__main__":
    main()
