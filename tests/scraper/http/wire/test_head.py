"""Heads and bodies of any bytes are read to an end: ours, or one of our errors."""

import socket
from collections.abc import Callable
from typing import TypeVar

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scraper.http.errors import FetchError, TooLarge, TransientError
from scraper.http.headers import joined
from scraper.http.wire.deadline import Deadline
from scraper.http.wire.framing import body_of
from scraper.http.wire.head import Head, read_head
from scraper.http.wire.stream import Stream
from scraper.tables import ReasonKind
from tests.helpers.transports import TIMEOUT, listening, outcome, transports

pytestmark = pytest.mark.heavy

_Result = TypeVar("_Result")

_SECONDS = 10.0

#: Parts of heads; in a row they are heads that are nearly right.
PARTS = [
    b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 404\n", b"HTTP/1.1 100 Continue\r\n\r\n", b"ICY 200\r\n", b"HTTP",
    b"/1.1 ", b"200 ", b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b"\x00", b"\xff", b"Content-Length: 2\r\n",
    b"Content-Length:", b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding", b"X-Robots-Tag: noai\r\n",
    b"Set-Cookie: a=b\r\n", b"Location: /\xfc\r\n", b"Connection: close\r\n", b"2\r\nok\r\n",
    b"0\r\n\r\n", b"ok",
]  # fmt: skip
RESPONSES = st.lists(st.sampled_from(PARTS) | st.binary(max_size=8), max_size=20).map(b"".join)


def received(content: bytes, read: Callable[[Stream], _Result]) -> _Result:
    """What is read of a connection on which this arrives, and nothing more."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(content)
        theirs.shutdown(socket.SHUT_WR)
        return read(Stream(ours, Deadline(_SECONDS)))


def read_all(stream: Stream) -> tuple[Head, bytes]:
    head = read_head(stream)
    body = body_of(head, stream)
    return head, b"".join(iter(lambda: body.read(7), b""))


@settings(deadline=None)
@given(RESPONSES | RESPONSES.map(lambda rest: b"HTTP/1.1 200 OK\r\n" + rest))
@example(b"")
@example(b"HTTP/1.1 200 OK\r\n" + b"a" * 100_000)
def test_any_bytes_are_read_to_an_end(content: bytes) -> None:
    try:
        head, body = received(content, read_all)
    except (FetchError, TransientError) as error:
        assert error.reason.kind in (ReasonKind.MALFORMED, ReasonKind.CONNECTION_CUT)
        return
    assert 200 <= head.status <= 999 and len(body) <= len(content)
    headers = joined(head.lines)
    assert all(name == name.lower() and "\n" not in value for name, value in headers.items())
    assert "set-cookie" not in headers


@settings(deadline=None, max_examples=30)
@given(RESPONSES.map(lambda rest: b"HTTP/1.1 200 OK\r\n" + rest))
def test_pages_and_images_end_the_same_for_any_bytes(content: bytes) -> None:
    def answer(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(content)
        connection.shutdown(socket.SHUT_WR)
        connection.recv(4096)

    with listening(answer) as port:
        page, image = (outcome(transport, f"http://127.0.0.1:{port}/") for transport in transports())
    assert page == image


@pytest.mark.parametrize(
    "content",
    [
        b"HTTP/1.1 200 OK\r\n" + b" " * 250_000 + b":\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nFoo:" + b" " * 250_000 + b"x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"\xff" * 250_000 + b"a: b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nFoo: a\r\n" + b" a\r\n" * 4_900 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"," * 250_000 + b"\r\n\r\n",
        b"HTTP/" + b"1" * 250_000 + b"\r\n\r\n",
        b"HTTP/1.1" + b" " * 250_000 + b"\r\n\r\n",
        b"\r\n" * 4_900 + b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b" " * 8_000 + b"x\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * 8_000 + b"x\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 10_000 + b"0\r\n\r\n",
    ],
    ids=range(11),
)
def test_long_heads_are_read_in_time(content: bytes) -> None:
    def answer(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(content)

    with listening(answer) as port:
        for transport in transports(cap=40_000):
            try:
                transport.get(f"http://127.0.0.1:{port}/", {}, _SECONDS)
            except (FetchError, TransientError, TooLarge) as error:
                assert error.reason.kind != ReasonKind.TIMEOUT


def test_cookies_stay_apart_and_are_not_sent_back() -> None:
    seen: list[bytes] = []

    def answer(connection: socket.socket) -> None:
        seen.append(connection.recv(4096).lower())
        lines = ["a=1; Expires=Wed, 21 Oct 2037 07:28:00 GMT", "b=2"]
        head = "".join(f"Set-Cookie: {line}\r\n" for line in lines)
        connection.sendall(f"HTTP/1.1 200 OK\r\n{head}Content-Length: 2\r\n\r\nok".encode())

    with listening(answer) as port:
        for transport in transports():
            for _ in range(2):
                response = transport.get(f"http://127.0.0.1:{port}/", {}, TIMEOUT)
                assert response.cookies == ("a=1; Expires=Wed, 21 Oct 2037 07:28:00 GMT", "b=2")
                assert "set-cookie" not in response.headers
    assert len(seen) == 4 and not any(b"cookie" in request for request in seen)


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\nb", "a\x00b"])
def test_a_header_that_would_end_the_request_is_not_sent(value: str) -> None:
    for transport in transports():
        with pytest.raises(FetchError):
            transport.get("http://127.0.0.1:1/", {"If-None-Match": value}, TIMEOUT)
