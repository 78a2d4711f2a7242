"""Requests of a page and of an image, their outcomes, and small servers that answer them."""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Container, Iterator

from scraper.http.certificates import tls_context
from scraper.http.errors import FetchError, TooLarge, TransientError
from scraper.http.transport import ImageTransport, PageTransport, Transport
from scraper.http.wire.wire import HostOverrides, Wire
from scraper.tables import ReasonKind
from tests.helpers.fault_responses import http

#: The longest body in bytes, and the longest time for an answer in seconds.
CAP, TIMEOUT = 20_000, 0.5

Outcome = tuple[int, dict[str, str], bytes] | tuple[type[Exception], ReasonKind, str]

TLS = tls_context()


class AnyHost(Container[str]):
    """All hosts: each of them may have a private address."""

    def __contains__(self, name: object) -> bool:
        return True


def transports(
    cap: int = CAP,
    overrides: HostOverrides | None = None,
    tls: ssl.SSLContext = TLS,
    private: Container[str] = AnyHost(),
) -> list[Transport]:
    """One of pages, one of images, each with a wire of its own."""
    return [
        kind("test", cap, Wire(tls, private, overrides or {})) for kind in (PageTransport, ImageTransport)
    ]


def outcome(transport: Transport, url: str, timeout: float = TIMEOUT) -> Outcome:
    """Status, headers and body, or the exception with the kind and the text of its reason."""
    start = time.monotonic()
    try:
        response = transport.get(url, {}, timeout)
    except (TransientError, FetchError, TooLarge) as error:
        return type(error), error.reason.kind, error.reason.text
    finally:
        assert time.monotonic() - start < 20 * max(timeout, TIMEOUT)
    return response.status, response.headers, response.body


@contextlib.contextmanager
def listening(handle: Callable[[socket.socket], object]) -> Iterator[int]:
    """The port of a server that treats each connection so and then closes it."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer(connection: socket.socket) -> None:
            with contextlib.suppress(OSError), connection:
                handle(connection)

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    threading.Thread(target=answer, args=[connection], daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def recording(reply: bytes = http(b"ok")) -> Iterator[tuple[int, list[bytes]]]:
    """The port of a server that answers each request so, and the first lines of the requests."""
    lines: list[bytes] = []

    def answer(connection: socket.socket) -> None:
        lines.append(connection.recv(4096).partition(b"\r\n")[0])
        connection.sendall(reply)

    with listening(answer) as port:
        yield port, lines
