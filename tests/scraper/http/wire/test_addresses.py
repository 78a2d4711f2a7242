"""The address that was checked is the one that is connected to."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from scraper.http.errors import FetchError, TransientError
from scraper.http.wire.addresses import connect, is_public, resolve
from scraper.http.wire.deadline import Deadline
from scraper.tables import ReasonKind
from tests.helpers.fault_responses import http
from tests.helpers.transports import TIMEOUT, listening, outcome, recording, transports

pytestmark = pytest.mark.heavy

PUBLIC = "93.184.215.14"

#: Answers of a name server; the last one is repeated.
Answers = list[list[str]]


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.255.255.254", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.0.1",
        "169.254.169.254", "100.64.0.1", "0.0.0.0", "0.1.2.3", "192.0.2.1", "198.18.0.1", "224.0.0.1",
        "240.0.0.1", "255.255.255.255",
        "::", "::1", "::127.0.0.1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "fec0::1", "ff02::1",
        "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::8.8.8.8", "2002:7f00:1::", "2002:a9fe:a9fe::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    ],
)  # fmt: skip
def test_private_addresses(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1", PUBLIC, "172.32.0.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1",
        "2002:101:101::1",
    ],
)  # fmt: skip
def test_public_addresses(address: str) -> None:
    assert is_public(address)


@contextlib.contextmanager
def naming(monkeypatch: pytest.MonkeyPatch, names: dict[str, Answers]) -> Iterator[list[str]]:
    """These names resolve so; the names that were looked up."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def look_up(host: str, port: int, *arguments: Any, **options: Any) -> list[Any]:
        asked.append(host)
        if host not in names:
            return real(host, port, *arguments, **options)
        answers = names[host]
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    with monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", look_up)
        yield asked


@contextlib.contextmanager
def connecting(monkeypatch: pytest.MonkeyPatch, port: int) -> Iterator[list[str]]:
    """Public addresses are those of a server on loopback; the addresses that were connected to."""
    connected: list[str] = []
    real = socket.socket.connect

    def redirected(self: socket.socket, address: tuple[str, int]) -> None:
        connected.append(address[0])
        real(self, ("127.0.0.1", port) if is_public(address[0]) else address)

    with monkeypatch.context() as patch:
        patch.setattr(socket.socket, "connect", redirected)
        yield connected


LITERALS = [
    "127.0.0.1", "2130706433", "0x7f000001", "017700000001", "127.1", "0", "[::1]", "[::ffff:127.0.0.1]",
    "[::]", "localhost",
]  # fmt: skip


@pytest.mark.parametrize("host", LITERALS)
def test_no_spelling_of_a_private_address_is_asked(host: str) -> None:
    with recording() as (port, lines):
        for transport in transports(private=()):
            found = outcome(transport, f"http://{host}:{port}/")
            assert found[:2] == (FetchError, ReasonKind.PRIVATE_ADDRESS) and host in str(found[2])
        assert not lines


def test_a_host_that_is_named_may_be_private() -> None:
    with recording() as (port, _):
        for transport in transports(private={f"127.0.0.1:{port}"}):
            assert outcome(transport, f"http://127.0.0.1:{port}/")[0] == 200
            assert outcome(transport, f"http://localhost:{port}/")[1] == ReasonKind.PRIVATE_ADDRESS


@pytest.mark.parametrize("name", ["cdn.shop.test", "cdn.shop.test."])
@pytest.mark.parametrize("addresses", [["127.0.0.1"], [PUBLIC, "127.0.0.1"], ["10.0.0.1", PUBLIC]])
def test_a_name_with_a_private_address_is_not_asked(
    monkeypatch: pytest.MonkeyPatch, addresses: list[str], name: str
) -> None:
    with recording() as (port, lines), naming(monkeypatch, {name: [addresses]}):
        for transport in transports(private={f"cdn.shop.test:{port}"} if name.endswith(".") else ()):
            found = outcome(transport, f"http://{name}:{port}/")
            assert found[:2] == (FetchError, ReasonKind.PRIVATE_ADDRESS)
    assert not lines


def test_a_name_that_resolves_anew_is_checked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first answer is public, all later ones are private: what is looked up is what is connected to."""
    with recording(http(b"ok", Connection="close")) as (port, lines):
        for transport in transports(private=()):
            names = {"cdn.shop.test": [[PUBLIC], ["127.0.0.1"]]}
            with naming(monkeypatch, names) as asked, connecting(monkeypatch, port) as connected:
                url = f"http://cdn.shop.test:{port}/"
                assert outcome(transport, url)[0] == 200
                assert (asked, connected) == (["cdn.shop.test"], [PUBLIC])
                assert outcome(transport, url)[:2] == (FetchError, ReasonKind.PRIVATE_ADDRESS)
                assert connected == [PUBLIC]
    assert len(lines) == 2


def test_a_kept_connection_stays_at_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(connection: socket.socket) -> None:
        while connection.recv(4096):
            connection.sendall(http(b"ok"))

    with listening(answer) as port:
        for transport in transports(private=()):
            names = {"cdn.shop.test": [[PUBLIC], ["127.0.0.1"]]}
            with naming(monkeypatch, names) as asked, connecting(monkeypatch, port) as connected:
                for _ in range(3):
                    assert outcome(transport, f"http://cdn.shop.test:{port}/")[0] == 200
                assert (asked, connected) == (["cdn.shop.test"], [PUBLIC])


def test_the_next_address_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing listens at the first address."""
    names = {"shop.test": [["127.0.0.2", "127.0.0.1"]]}
    with recording() as (port, _), naming(monkeypatch, names):
        for transport in transports():
            assert outcome(transport, f"http://shop.test:{port}/")[0] == 200


def test_a_slow_address_leaves_time_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.socket.connect

    def hanging(self: socket.socket, address: tuple[str, int]) -> None:
        if address[0] == "127.0.0.2":
            time.sleep(self.gettimeout() or 0.0)
            raise TimeoutError
        real(self, address)

    monkeypatch.setattr(socket.socket, "connect", hanging)
    names = {"shop.test": [["127.0.0.2", "127.0.0.1"]]}
    with recording() as (port, _), naming(monkeypatch, names):
        for transport in transports():
            assert outcome(transport, f"http://shop.test:{port}/")[0] == 200
        names["shop.test"] = [["127.0.0.2"]]
        assert [outcome(transport, f"http://shop.test:{port}/")[1] for transport in transports()] == [
            ReasonKind.TIMEOUT
        ] * 2


def slow(host: str, port: int, *arguments: Any, **options: Any) -> list[Any]:
    threading.Event().wait(20 * TIMEOUT)
    raise socket.gaierror


def unknown(host: str, port: int, *arguments: Any, **options: Any) -> list[Any]:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def nothing(host: str, port: int, *arguments: Any, **options: Any) -> list[Any]:
    return []


@pytest.mark.parametrize(
    ("resolver", "kind"),
    [
        (slow, ReasonKind.TIMEOUT),
        (unknown, ReasonKind.NO_CONNECTION),
        (nothing, ReasonKind.NO_CONNECTION),
    ],
)
def test_names_that_do_not_resolve(
    monkeypatch: pytest.MonkeyPatch, resolver: Callable[..., list[Any]], kind: ReasonKind
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    for transport in transports(private=()):
        start = time.monotonic()
        assert outcome(transport, "http://shop.test/")[:2] == (TransientError, kind)
        assert time.monotonic() - start < 10 * TIMEOUT


def test_a_proxy_resolves_for_itself_but_is_given_no_private_address(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"inside.shop.test": [["10.0.0.1"]]}
    with recording() as (port, lines), naming(monkeypatch, names):
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("no_proxy", "")
        for transport in transports(private={"named.shop.test"}):
            assert outcome(transport, "http://unknown.invalid/")[0] == 200
            assert outcome(transport, "http://named.shop.test/")[0] == 200
            for host in ("inside.shop.test", "169.254.169.254", "2130706433", "[::1]"):
                assert outcome(transport, f"http://{host}/")[1] == ReasonKind.PRIVATE_ADDRESS
    assert len(lines) == 4


def test_an_address_that_refuses() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(TransientError) as error:
        connect(resolve("127.0.0.1", port, Deadline(TIMEOUT)), Deadline(TIMEOUT))
    assert error.value.reason.kind == ReasonKind.NO_CONNECTION
