"""One deadline holds for a whole answer, wherever a server stalls."""

import socket
import ssl
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from scraper.tables import ReasonKind
from tests.helpers.fault_responses import http
from tests.helpers.fault_server import Host, certify
from tests.helpers.transports import TIMEOUT, TLS, listening, outcome, transports

pytestmark = pytest.mark.heavy

#: Long after the deadline.
_LATE = 6 * TIMEOUT


def slowly(content: bytes, fast: int = 0) -> Callable[[socket.socket], None]:
    """Sends one byte at a time, after the first `fast` ones, each of them in time."""

    def handle(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(content[:fast])
        end = time.monotonic() + _LATE
        for n in range(fast, len(content)):
            if time.monotonic() > end:
                break
            time.sleep(TIMEOUT / 10)
            connection.sendall(content[n : n + 1])

    return handle


def silent(connection: socket.socket) -> None:
    time.sleep(_LATE)


STALLS = {
    "nothing is sent": silent,
    "the status line": slowly(http(b"x" * 99)),
    "the headers": slowly(b"HTTP/1.1 200 OK\r\n" + b"Foo: bar\r\n" * 99, 20),
    "interim responses": slowly(b"HTTP/1.1 100 Continue\r\n\r\n" * 99, 25),
    "the body": slowly(http(b"x" * 99), 45),
    "a size of a chunk": slowly(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * 99, 50),
    "an extension of a chunk": slowly(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" + b"a" * 99, 50
    ),
    "the body to the end": slowly(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 99, 20),
}


def check(url: str, timeout: float = TIMEOUT, tls: ssl.SSLContext = TLS) -> None:
    """A page and an image, fetched at the same time, both end with a timeout, and soon."""
    start = time.monotonic()
    with ThreadPoolExecutor(2) as threads:
        found = threads.map(lambda transport: outcome(transport, url, timeout), transports(tls=tls))
        assert [end[1] for end in found] == [ReasonKind.TIMEOUT] * 2
    assert time.monotonic() - start < _LATE - TIMEOUT


@pytest.mark.parametrize("stall", STALLS)
def test_a_server_that_stalls(stall: str) -> None:
    with listening(STALLS[stall]) as port:
        check(f"http://127.0.0.1:{port}/")


@pytest.mark.parametrize("stall", ["nothing is sent", "a handshake of single bytes"])
def test_a_tls_handshake_that_stalls(stall: str) -> None:
    # The header of a TLS record that will be long.
    handshake = slowly(b"\x16\x03\x03\x40\x00" + b"\x02" + bytes(99))
    with listening(handshake if "bytes" in stall else silent) as port:
        check(f"https://127.0.0.1:{port}/")


def test_a_body_in_tls_that_stalls(tmp_path: Path) -> None:
    host = Host(lambda path: [[http(b"x" * 99)[:60], _LATE]])
    certificate = tmp_path / "certificate.pem"
    certificate.write_bytes(certify(host))
    host.start()
    check(f"https://127.0.0.1:{host.port}/", tls=ssl.create_default_context(cafile=certificate))
    host.shutdown()
    host.server_close()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_stalls(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    with listening(slowly(b"HTTP/1.1 200 OK\r\n" + b"Foo: bar\r\n" * 99, 20)) as port:
        monkeypatch.setenv(f"{scheme}_proxy", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("no_proxy", "")
        check(f"{scheme}://shop.invalid/")
