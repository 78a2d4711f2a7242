"""A connection is used again only if nothing of an earlier response can be left on it."""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scraper.http.wire import wire
from tests.helpers.fault_responses import chunked, http
from tests.helpers.fault_server import Host, certify
from tests.helpers.transports import TIMEOUT, listening, outcome, transports

pytestmark = pytest.mark.heavy

_STALE = http(b"stale")

#: What a host sends in answer to a first request: the parts follow one another after a short pause.
ODD: dict[str, list[bytes]] = {
    "longer than its length": [http(b"ok") + b"rest"],
    "another response": [http(b"ok") + _STALE],
    "another response, later": [http(b"ok"), _STALE],
    "a body where there is none": [http(b"stale", 204)],
    "a body after not modified": [http(b"", 304, Content_Length="5"), _STALE],
    "an interim response behind": [http(b"ok") + b"HTTP/1.1 100 Continue\r\n\r\n"],
    "a line end behind": [http(b"ok") + b"\r\n"],
    "a length and chunks": [
        http(b"", Content_Length="2", Transfer_Encoding="chunked") + b"2\r\nok\r\n0\r\n\r\n" + _STALE
    ],
    "a line without colon": [http(b"ok").replace(b"\r\n", b"\r\nFoo bar\r\n", 1)],
    "a trailer": [chunked(b"ok", end=b"0\r\nFoo: bar\r\n\r\n")],
    "no end of the chunks": [chunked(b"ok", end=b"0\r\n"), b"\r\n" + _STALE],
    "an announced end": [http(b"ok", Connection="Close")],
    "HTTP/1.0": [http(b"ok").replace(b"HTTP/1.1", b"HTTP/1.0")],
    "an unread body": [http(b"not here", 404)[:-4], b"here" + _STALE],
}

PLAIN: dict[str, bytes] = {
    "a length": http(b"ok"),
    "chunks": chunked(b"ok"),
    "nothing": http(),
    "not modified": http(b"", 304),
    "a redirect with a body": http(b"<p>moved</p>", 302, Location="/x"),
    "a short body of an error": http(b"not here", 404),
}


@contextlib.contextmanager
def host(first: list[bytes]) -> Iterator[tuple[str, list[int]]]:
    """The URL of a host that answers the first request of each connection so, and how many each one had."""
    requests: list[int] = []

    def answer(connection: socket.socket) -> None:
        number = len(requests)
        requests.append(0)
        while connection.recv(4096):
            requests[number] += 1
            for part in first if requests[number] == 1 else [http(b"second")]:
                connection.sendall(part)
                time.sleep(0.02)

    with listening(answer) as port:
        yield f"http://127.0.0.1:{port}/", requests


@pytest.mark.parametrize("oddity", ODD)
def test_after_an_odd_response_there_is_a_new_connection(oddity: str) -> None:
    for transport in transports():
        with host(ODD[oddity]) as (url, requests):
            outcome(transport, url)
            time.sleep(0.05)
            found = outcome(transport, url)
            assert isinstance(found[0], int) and b"stale" not in found[2]  # type: ignore[operator]
            assert requests[:2] == [1, 1]


@pytest.mark.parametrize("name", PLAIN)
def test_after_a_plain_response_the_connection_is_used_again(name: str) -> None:
    for transport in transports():
        with host([PLAIN[name]]) as (url, requests):
            outcome(transport, url)
            assert outcome(transport, url)[2] == b"second"
            assert requests == [2]


def test_a_connection_with_tls_is_used_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What TLS itself sends behind a handshake is nothing of an earlier response."""
    served = Host(lambda path: [[http(b"ok" * 20_000)]])
    certificate = tmp_path / "certificate.pem"
    certificate.write_bytes(certify(served))
    accepted: list[object] = []
    accept = served.get_request

    def counted() -> tuple[socket.socket, object]:
        accepted.append(None)
        return accept()

    monkeypatch.setattr(served, "get_request", counted)
    served.start()
    for transport in transports(cap=100_000, tls=ssl.create_default_context(cafile=certificate)):
        accepted.clear()
        for _ in range(4):
            assert outcome(transport, f"https://127.0.0.1:{served.port}/", timeout=10)[0] == 200
        assert len(accepted) == 1
    served.shutdown()
    served.server_close()


@pytest.mark.parametrize("pause", [0.0, 0.01])
def test_a_host_that_closes_each_connection_without_saying_so(pause: float) -> None:
    def answer(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(http(b"ok"))
        time.sleep(pause)

    with listening(answer) as port:
        for transport in transports():
            for _ in range(9):
                assert outcome(transport, f"http://127.0.0.1:{port}/")[0] == 200


def test_a_connection_that_the_host_closes_meanwhile_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host closes it without an answer, just when the request arrives."""
    monkeypatch.setattr(wire, "_MAY_CLOSE", 0.0)

    def answer(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(http(b"ok"))
        connection.recv(4096)

    with listening(answer) as port:
        for transport in transports():
            for _ in range(3):
                assert outcome(transport, f"http://127.0.0.1:{port}/")[0] == 200


def test_a_connection_that_is_in_use_is_not_shared() -> None:
    with host([http(b"first")]) as (url, requests):
        for transport in transports():
            before = len(requests)
            threads = [threading.Thread(target=outcome, args=[transport, url]) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(4 * TIMEOUT)
            assert sum(requests[before:]) == 4


def test_only_so_many_connections_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that was used longest ago is closed."""
    monkeypatch.setattr(wire, "_MAX_IDLE", 2)
    for transport in transports():
        with contextlib.ExitStack() as hosts:
            first, second, third = (hosts.enter_context(host([http(b"ok")])) for _ in range(3))
            for url, _ in (first, second, third, first, third):
                assert outcome(transport, url)[0] == 200
        assert [requests for _, requests in (first, second, third)] == [[1, 1], [1], [2]]
