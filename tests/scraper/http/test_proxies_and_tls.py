"""Proxies and certificates: the same for pages and for images."""

import base64
import contextlib
import hashlib
import os
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest
from cryptography import x509

from gemkit.errors import UserError
from scraper.http.certificates import VARIABLES, tls_context
from scraper.http.errors import TransientError
from scraper.http.proxies import check_proxies
from scraper.tables import ReasonKind
from tests.helpers.fault_responses import http
from tests.helpers.fault_server import Host, certify
from tests.helpers.protocol_faults import protocol_faults
from tests.helpers.transports import TIMEOUT, listening, outcome, recording, transports

pytestmark = pytest.mark.heavy

FAULTS = protocol_faults()


@pytest.mark.parametrize("name", ["http_proxy", "https_proxy", "all_proxy"])
def test_only_http_proxies_are_used(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "socks5://me:secret@127.0.0.1:1")
    with pytest.raises(UserError, match=f"^{name} .*'socks5'") as caught:
        check_proxies()
    assert "secret" not in str(caught.value)
    monkeypatch.setenv(name, "http://me:secret@shop.test:none")
    with pytest.raises(UserError, match=f"^{name} names no address") as caught:
        check_proxies()
    assert "secret" not in str(caught.value)
    for proxy in ("http://127.0.0.1:1", "HTTPS://127.0.0.1:1", "127.0.0.1:1", "user:secret@host:1", ""):
        monkeypatch.setenv(name, proxy)
        check_proxies()


@pytest.mark.parametrize(
    "fault", ["fine", "no-colon", "lengths-differ", "chunk-size-sign", "early-hints", "multipart"]
)
def test_a_proxy_changes_nothing(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    response, expected = FAULTS.get(fault, ([http(b"ok")], (200, b"ok")))
    with recording(b"".join(step for step in response if isinstance(step, bytes))) as (port, lines):
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.setenv("no_proxy", "")
        page, image = (outcome(transport, "http://shop.test/a%7Eb") for transport in transports())
    assert lines == [b"GET http://shop.test/a%7Eb HTTP/1.1"] * 2
    assert page == image
    assert (page[1] if isinstance(expected, ReasonKind) else (page[0], page[2])) == expected


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_is_told_the_password_in_its_address(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    seen: list[bytes] = []

    def answer(connection: socket.socket) -> None:
        seen.append(connection.recv(4096).lower())
        connection.sendall(http(status=407))

    with listening(answer) as port:
        monkeypatch.setenv(f"{scheme}_proxy", f"http://me:s%40cret@127.0.0.1:{port}")
        monkeypatch.setenv("no_proxy", "")
        page, image = (outcome(transport, f"{scheme}://shop.test/") for transport in transports())
    assert page == image
    assert page[:2] == (
        (407, {"content-length": "0"}) if scheme == "http" else (TransientError, ReasonKind.NO_CONNECTION)
    )
    password = base64.b64encode(b"me:s@cret").lower()
    assert len(seen) == 2 and all(b"proxy-authorization: basic " + password in request for request in seen)


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


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("fault", ["fine", "no-colon", "lengths-differ", "body-cut", "early-hints"])
def test_a_tunnel_through_a_proxy_changes_nothing(
    fault: str, scheme: str, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    response, expected = FAULTS.get(fault, ([http(b"ok")], (200, b"ok")))
    host = Host(lambda path: [response])
    certificate = tmp_path_factory.mktemp("tls") / "certificate.pem"
    certificate.write_bytes(certify(host))
    host.start()
    asked: list[bytes] = []
    context = cast(ssl.SSLSocket, host.socket).context

    def tunnel(connection: socket.socket) -> None:
        if scheme == "https":
            connection = context.wrap_socket(connection, server_side=True)
        asked.append(connection.recv(4096).partition(b" HTTP/")[0])
        connection.sendall(b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n")
        with socket.create_connection(("127.0.0.1", host.port)) as other:
            threading.Thread(target=copy_bytes, args=[connection, other], daemon=True).start()
            copy_bytes(other, connection)

    with listening(tunnel) as port, only_setting(monkeypatch, "SSL_CERT_FILE", certificate):
        monkeypatch.setenv("https_proxy", f"{scheme}://127.0.0.1:{port}")
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
