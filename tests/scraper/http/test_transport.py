"""Pages and images are fetched by two libraries that accept the same responses, and fail in the same ways."""

import contextlib
import hashlib
import os
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from gemkit.errors import UserError
from scraper.http.certificates import VARIABLES, tls_context
from scraper.http.errors import FetchError, TooLarge, TransientError
from scraper.http.proxies import check_proxies
from scraper.http.transport import HostOverrides, ImageTransport, PageTransport, Response, Transport
from scraper.tables import ReasonKind
from tests.helpers.fault_responses import http, images, pages, robots
from tests.helpers.fault_server import Host, certify
from tests.helpers.protocol_faults import protocol_faults

pytestmark = pytest.mark.heavy

FAULTS = protocol_faults()

#: The faults of whole crawls: only their outcomes are compared here.
CRAWL_FAULTS = {
    **{f"image-{name}": responses[0] for name, responses in images().items()},
    **{f"page-{name}": responses[0] for name, responses in pages("{}").items()},
    **{f"robots-{name}": responses[0] for name, responses in robots().items()},
}

CAP, TIMEOUT = 20_000, 0.5

#: These are compared at the same time: they mostly wait.
SLOW_FAULTS = {
    name
    for name, response in {**CRAWL_FAULTS, **{name: fault for name, (fault, _) in FAULTS.items()}}.items()
    if any(isinstance(step, float) for step in response)
}

Outcome = tuple[int, dict[str, str], bytes] | tuple[type[Exception], ReasonKind, str]


TLS = tls_context()


def transports(
    cap: int = CAP, overrides: HostOverrides | None = None, tls: ssl.SSLContext = TLS
) -> list[Transport]:
    return [kind("test", TIMEOUT, cap, overrides or {}, tls) for kind in (PageTransport, ImageTransport)]


#: For tests that need no new connection.
SHARED = transports()


def outcome(transport: Transport, url: str) -> Outcome:
    start = time.monotonic()
    try:
        response = transport.get(url, {})
    except (TransientError, FetchError, TooLarge) as error:
        return type(error), error.reason.kind, error.reason.text
    finally:
        assert time.monotonic() - start < 20 * TIMEOUT
    return response.status, response.headers, response.body


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    responses = CRAWL_FAULTS | {name: response for name, (response, _) in FAULTS.items()}
    responses["leftover"] = [http(b"ok") + b"rest"]
    host = Host(lambda path: [responses.get(path[1:], [http(path.encode())])])
    host.start()
    yield host
    host.shutdown()
    host.server_close()


def outcomes(host: Host, fault: str) -> list[Outcome]:
    """Those of a page and of an image."""
    cap = 1_000_000 if fault in CRAWL_FAULTS else CAP
    url = f"http://127.0.0.1:{host.port}/{fault}"
    return [outcome(transport, url) for transport in transports(cap)]


@pytest.fixture(scope="module")
def slow_outcomes(host: Host) -> dict[str, list[Outcome]]:
    with ThreadPoolExecutor(len(SLOW_FAULTS)) as threads:
        found = threads.map(lambda fault: outcomes(host, fault), SLOW_FAULTS)
        return dict(zip(SLOW_FAULTS, found, strict=True))


@pytest.mark.parametrize("fault", FAULTS)
def test_both_accept_or_refuse_the_same(
    host: Host, slow_outcomes: dict[str, list[Outcome]], fault: str
) -> None:
    page, image = slow_outcomes.get(fault) or outcomes(host, fault)
    assert page == image
    expected = FAULTS[fault][1]
    assert (page[1] if isinstance(expected, ReasonKind) else (page[0], page[2])) == expected


@pytest.mark.parametrize("fault", CRAWL_FAULTS)
def test_the_faults_of_crawls_have_the_same_outcome(
    host: Host, slow_outcomes: dict[str, list[Outcome]], fault: str
) -> None:
    page, image = slow_outcomes.get(fault) or outcomes(host, fault)
    assert page == image


def headers(host: Host, fault: str) -> list[dict[str, str]]:
    url = f"http://127.0.0.1:{host.port}/{fault}"
    return [transport.get(url, {}).headers for transport in transports()]


@pytest.mark.parametrize(
    ("fault", "name", "value"),
    [
        ("latin-1-value", "foo", "ü"),
        ("utf-8-value", "foo", "ü"),
        ("folded", "foo", "a b"),
        ("repeated", "foo", "a, b"),
        ("spaces", "foo", "a"),
        ("length-list", "content-length", "2"),
        ("redirect-to-a-script", "location", "javascript:alert(1)"),
    ],
)
def test_headers_are_read_the_same(host: Host, fault: str, name: str, value: str) -> None:
    assert [found[name] for found in headers(host, fault)] == [value] * 2


@pytest.mark.parametrize("name", ["http_proxy", "https_proxy", "all_proxy"])
def test_only_http_proxies_are_used(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "socks5://me:secret@127.0.0.1:1")
    with pytest.raises(UserError, match=f"^{name} .*'socks5'") as caught:
        check_proxies()
    assert "secret" not in str(caught.value)
    for proxy in ("http://127.0.0.1:1", "HTTPS://127.0.0.1:1", "127.0.0.1:1", "user:secret@host:1", ""):
        monkeypatch.setenv(name, proxy)
        check_proxies()


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


#: Also parts of addresses that either library changes.
ADDRESSES = st.lists(
    st.sampled_from(
        ["%", "%7E", "%e2", "%2F", "%zz", "/", ".", "..", "?", "#", "~", "a", " ", "\\", "'", "@"]
    )
    | st.characters(exclude_categories=["Cs"]),
    max_size=8,
).map("".join)


@settings(max_examples=150, deadline=None)
@given(ADDRESSES)
def test_urls_are_sent_the_same(address: str) -> None:
    with recording() as (port, lines):
        for transport in SHARED:
            assert transport.get(f"http://127.0.0.1:{port}/{address}", {}).body == b"ok"
    assert len(lines) == 2 and lines[0] == lines[1]


@pytest.mark.parametrize(
    ("address", "sent"),
    [
        ("/%7Ea/b", b"/%7Ea/b"),
        ("/a%2Db", b"/a%2Db"),
        ("/a%e2", b"/a%E2"),
        ("/?x=%zz", b"/?x=%25zz"),
        ("/%", b"/%25"),
        ("//a", b"//a"),
        ("/a/../b?", b"/b"),
        ("?x=1#y", b"/?x=1"),
        ("", b"/"),
    ],
)
def test_the_stores_own_spelling_of_a_url_is_kept(address: str, sent: bytes) -> None:
    with recording() as (port, lines):
        for transport in SHARED:
            transport.get(f"http://127.0.0.1:{port}{address}", {})
    assert lines == [b"GET %b HTTP/1.1" % sent] * 2


@pytest.mark.parametrize("fault", ["fine", "no-colon", "chunk-size-sign", "early-hints", "multipart"])
def test_a_proxy_changes_nothing(host: Host, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    response, expected = FAULTS.get(fault, ([http(b"ok")], (200, b"ok")))
    with recording(b"".join(step for step in response if isinstance(step, bytes))) as (port, lines):
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.setenv("no_proxy", "")
        page, image = (outcome(transport, "http://shop.test/a%7Eb") for transport in transports())
    assert lines == [b"GET http://shop.test/a%7Eb HTTP/1.1"] * 2
    assert page == image
    assert (page[1] if isinstance(expected, ReasonKind) else (page[0], page[2])) == expected


def reset(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize(
    ("handle", "kind"),
    [
        (lambda connection: connection.recv(4096), ReasonKind.TLS),
        (lambda connection: connection.sendall(b"HTTP/1.1 400 x\r\n\r\n"), ReasonKind.TLS),
        (reset, ReasonKind.CONNECTION_CUT),
        (lambda connection: time.sleep(1.5 * TIMEOUT), ReasonKind.TIMEOUT),
    ],
    ids=["closed", "no TLS", "reset", "hangs"],
)
def test_tls_that_fails(handle: Callable[[socket.socket], object], kind: ReasonKind) -> None:
    with listening(handle) as port:
        page, image = (outcome(transport, f"https://127.0.0.1:{port}/") for transport in transports())
    assert page == image and page[1] == kind


def test_a_certificate_that_is_not_accepted_unless_it_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    host = Host(lambda path: [[http(b"ok")]])
    certificate = tmp_path_factory.mktemp("tls") / "certificate.pem"
    certificate.write_bytes(certify(host))
    host.start()
    url = f"https://127.0.0.1:{host.port}/"
    page, image = (outcome(transport, url) for transport in transports())
    assert page == image and page[1] == ReasonKind.CERTIFICATE
    folder = certificate.with_name("folder")
    folder.mkdir()
    (folder / hashed_name(certificate)).symlink_to(certificate)
    settings = {
        **dict.fromkeys(["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"], certificate),
        "SSL_CERT_DIR": f"/{os.pathsep}{folder}",
    }
    for name, value in settings.items():
        with only_setting(monkeypatch, name, value):
            page, image = (outcome(transport, url) for transport in transports(tls=tls_context()))
        assert page == image and page[0] == 200, name
    host.shutdown()
    host.server_close()


@pytest.mark.parametrize("fault", ["fine", "no-colon", "chunk-size-sign", "body-cut", "early-hints"])
def test_a_tunnel_through_a_proxy_changes_nothing(
    fault: str, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    response, expected = FAULTS.get(fault, ([http(b"ok")], (200, b"ok")))
    host = Host(lambda path: [response])
    certificate = tmp_path_factory.mktemp("tls") / "certificate.pem"
    certificate.write_bytes(certify(host))
    host.start()
    asked: list[bytes] = []

    def tunnel(connection: socket.socket) -> None:
        asked.append(connection.recv(4096).partition(b" HTTP/")[0])
        connection.sendall(b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n")
        with socket.create_connection(("127.0.0.1", host.port)) as other:
            threading.Thread(target=copy_bytes, args=[connection, other], daemon=True).start()
            copy_bytes(other, connection)

    with listening(tunnel) as port, only_setting(monkeypatch, "SSL_CERT_FILE", certificate):
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.setenv("no_proxy", "")
        url = f"https://127.0.0.1:{host.port}/"
        page, image = (outcome(transport, url) for transport in transports(tls=tls_context()))
    host.shutdown()
    host.server_close()
    assert asked == [b"CONNECT 127.0.0.1:%d" % host.port] * 2
    assert page == image
    assert (page[1] if isinstance(expected, ReasonKind) else (page[0], page[2])) == expected


def copy_bytes(source: socket.socket, target: socket.socket) -> None:
    """Copy until either end closes."""
    with contextlib.suppress(OSError):
        while content := source.recv(65536):
            target.sendall(content)
        target.shutdown(socket.SHUT_WR)


def hashed_name(certificate: Path) -> str:
    """The name of a certificate's file in a folder that OpenSSL searches."""
    subject = x509.load_pem_x509_certificate(certificate.read_bytes()).subject.public_bytes()[2:]
    return f"{int.from_bytes(hashlib.sha1(subject).digest()[:4], 'little'):08x}.0"


@contextlib.contextmanager
def only_setting(monkeypatch: pytest.MonkeyPatch, name: str, value: object) -> Iterator[None]:
    """Of the variables that name certificate authorities, only this one is set."""
    with monkeypatch.context() as patch:
        for variable in VARIABLES:
            patch.delenv(variable, raising=False)
        patch.setenv(name, str(value))
        yield


@pytest.mark.parametrize("name", VARIABLES)
def test_certificate_authorities_that_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    empty = tmp_path_factory.mktemp("tls") / "empty.pem"
    empty.touch()
    for path, problem in ((empty.with_name("nowhere"), "cannot be read"), (empty, "has no certificate")):
        with (
            only_setting(monkeypatch, name, path),
            pytest.raises(UserError, match=f"^{name} names '{path}', which {problem}[^\n]*$"),
        ):
            tls_context()


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("http://127.0.0.1:1/", ReasonKind.NO_CONNECTION),
        ("https://127.0.0.1:1/", ReasonKind.NO_CONNECTION),
        ("http://nowhere.invalid/", ReasonKind.NO_CONNECTION),
        ("http://127.0.0.1:99999/", ReasonKind.INVALID_URL),
        ("ftp://127.0.0.1/", ReasonKind.INVALID_URL),
        ("127.0.0.1/a", ReasonKind.INVALID_URL),
        ("/a", ReasonKind.INVALID_URL),
        ("http:///a", ReasonKind.INVALID_URL),
        ("", ReasonKind.INVALID_URL),
        ("http://a..b/", ReasonKind.INVALID_URL),
        (f"http://{'a' * 70}.com/", ReasonKind.INVALID_URL),
    ],
)
def test_hosts_that_cannot_be_reached(url: str, kind: ReasonKind) -> None:
    page, image = (outcome(transport, url) for transport in transports())
    assert page == image and page[1] == kind


def test_a_virtual_host_is_served_by_another_address() -> None:
    seen: list[str] = []

    def answer(connection: socket.socket) -> None:
        seen.append(connection.recv(4096).decode())
        connection.sendall(http(b"ok"))

    with listening(answer) as port:
        overrides = {"shop.test": ("127.0.0.1", port), "shop.test:81": ("127.0.0.1", port)}
        for name in overrides:
            for transport in transports(overrides=overrides):
                response = transport.get(f"http://{name}/a%20b?c=d", {"If-None-Match": '"x"'})
                assert response == Response(f"http://{name}/a%20b?c=d", 200, {"content-length": "2"}, b"ok")
                request = seen.pop()
                assert request.startswith("GET /a%20b?c=d HTTP/1.1\r\n")
                assert f"host: {name}\r\n" in request.lower() and 'if-none-match: "x"' in request.lower()


def test_no_password_is_sent(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    secrets = tmp_path_factory.mktemp("home") / "netrc"
    secrets.write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(secrets))
    seen: list[str] = []

    def answer(connection: socket.socket) -> None:
        seen.append(connection.recv(4096).decode().lower())
        connection.sendall(http(b"ok"))

    with listening(answer) as port:
        for transport in transports():
            assert transport.get(f"http://127.0.0.1:{port}/", {}).status == 200
    assert len(seen) == 2 and not any("authorization" in request for request in seen)


def test_the_rest_of_an_earlier_response_is_not_the_fault_of_the_next_url(host: Host) -> None:
    for transport in transports():
        transport.get(f"http://127.0.0.1:{host.port}/leftover", {})
        with contextlib.suppress(TransientError):  # may be requested again
            transport.get(f"http://127.0.0.1:{host.port}/fine", {})
        assert transport.get(f"http://127.0.0.1:{host.port}/fine", {}).body == b"/fine"


def test_a_transport_serves_on_after_a_failure(host: Host) -> None:
    for transport in transports():
        for fault in ("chunk-too-long", "body-cut", "redirect-hangs", "body-over-the-cap"):
            outcome(transport, f"http://127.0.0.1:{host.port}/{fault}")
            response = transport.get(f"http://127.0.0.1:{host.port}/fine", {})
            assert response.body == b"/fine"
