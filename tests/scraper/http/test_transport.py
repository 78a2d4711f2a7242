"""Pages and images are fetched by two libraries that accept the same responses, and fail in the same ways."""

import contextlib
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scraper.http.errors import TransientError
from scraper.http.transport import Response, RobotsTransport
from scraper.tables import ReasonKind
from tests.helpers.fault_responses import http, images, pages, robots
from tests.helpers.fault_server import Host
from tests.helpers.protocol_faults import protocol_faults
from tests.helpers.transports import CAP, TLS, Outcome, listening, outcome, recording, transports

pytestmark = pytest.mark.heavy

FAULTS = protocol_faults()

#: The faults of whole crawls: only their outcomes are compared here.
CRAWL_FAULTS = {
    **{f"image-{name}": responses[0] for name, responses in images().items()},
    **{f"page-{name}": responses[0] for name, responses in pages("{}").items()},
    **{f"robots-{name}": responses[0] for name, responses in robots().items()},
}


#: These are compared at the same time: they mostly wait.
SLOW_FAULTS = {
    name
    for name, response in {**CRAWL_FAULTS, **{name: fault for name, (fault, _) in FAULTS.items()}}.items()
    if any(isinstance(step, float) for step in response)
}

#: For tests that need no new connection.
SHARED = transports()


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


def test_the_rest_of_a_long_robots_txt_is_not_waited_for() -> None:
    def answer(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(http(b"x" * CAP, Content_Length="99000000"))
        connection.recv(4096)  # until the client hangs up

    with listening(answer) as port:
        response = RobotsTransport("test", 5.0, CAP, {}, TLS).get(f"http://127.0.0.1:{port}/robots.txt", {})
    assert response.body == b"x" * CAP
