"""Pages and images are fetched by two libraries that accept the same responses, and fail in the same ways."""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scraper.http.errors import TooLarge, TransientError
from scraper.http.transport import HostOverrides, ImageTransport, PageTransport, Response, Transport
from scraper.http.urls import url_key
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

Outcome = tuple[int, dict[str, str], bytes] | tuple[type[Exception], ReasonKind, str]


def transports(cap: int = CAP, overrides: HostOverrides | None = None) -> list[Transport]:
    return [kind("test", TIMEOUT, cap, overrides or {}) for kind in (PageTransport, ImageTransport)]


def outcome(transport: Transport, url: str) -> Outcome:
    start = time.monotonic()
    try:
        response = transport.get(url, {})
    except (TransientError, TooLarge) as error:
        return type(error), error.reason.kind, error.reason.text
    finally:
        assert time.monotonic() - start < 20 * TIMEOUT
    return response.status, response.headers, response.body


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    responses = CRAWL_FAULTS | {name: response for name, (response, _) in FAULTS.items()}
    host = Host(lambda path: [responses.get(path[1:], [http(path.encode())])])
    host.start()
    yield host
    host.shutdown()
    host.server_close()


@pytest.mark.parametrize("fault", FAULTS)
def test_both_accept_or_refuse_the_same(host: Host, fault: str) -> None:
    page, image = (outcome(transport, f"http://127.0.0.1:{host.port}/{fault}") for transport in transports())
    assert page == image
    expected = FAULTS[fault][1]
    assert (page[1] if isinstance(expected, ReasonKind) else (page[0], page[2])) == expected


@pytest.mark.parametrize("fault", CRAWL_FAULTS)
def test_the_faults_of_crawls_have_the_same_outcome(host: Host, fault: str) -> None:
    page, image = (
        outcome(transport, f"http://127.0.0.1:{host.port}/{fault}") for transport in transports(cap=1_000_000)
    )
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


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=12), st.text(max_size=8))
def test_urls_are_sent_the_same(host: Host, path: str, query: str) -> None:
    url = url_key(f"http://127.0.0.1:{host.port}/-/{path}?{query}")
    if url is not None:
        page, image = (transport.get(url, {}) for transport in transports())
        assert page == image and page.body.startswith(b"/")


@contextlib.contextmanager
def listening(handle: Callable[[socket.socket], object]) -> Iterator[int]:
    """The port of a server that treats each connection so and then closes it."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with contextlib.suppress(OSError), connection:
                        handle(connection)

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def reset(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize(
    ("handle", "kind"),
    [
        (lambda connection: connection.recv(4096), ReasonKind.NO_CONNECTION),
        (lambda connection: connection.sendall(b"HTTP/1.1 400 x\r\n\r\n"), ReasonKind.NO_CONNECTION),
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
    names = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
    for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        with monkeypatch.context() as patch:
            for other in names:
                patch.delenv(other, raising=False)
            patch.setenv(name, str(certificate))
            page, image = (outcome(transport, url) for transport in transports())
        assert page == image and page[0] == 200, name
    host.shutdown()
    host.server_close()


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("http://127.0.0.1:1/", ReasonKind.NO_CONNECTION),
        ("https://127.0.0.1:1/", ReasonKind.NO_CONNECTION),
        ("http://nowhere.invalid/", ReasonKind.NO_CONNECTION),
        ("http://127.0.0.1:99999/", ReasonKind.INVALID_URL),
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
        for transport in transports(overrides=overrides):
            for name in overrides:
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


def test_a_transport_serves_on_after_a_failure(host: Host) -> None:
    for transport in transports():
        for fault in ("chunk-too-long", "body-cut", "redirect-hangs", "body-over-the-cap"):
            outcome(transport, f"http://127.0.0.1:{host.port}/{fault}")
            response = transport.get(f"http://127.0.0.1:{host.port}/fine", {})
            assert response.body == b"/fine"
