"""Open a connection to a host: to an address that was checked, or through a proxy; with TLS for https."""

import socket
import ssl
from dataclasses import dataclass
from typing import NamedTuple

from urllib3.util.ssltransport import SSLTransport

from scraper.http.errors import TransientError
from scraper.http.failures import certificate, cut, no_connection, no_tls, private_address, timeout
from scraper.http.proxies import Proxy
from scraper.http.wire.addresses import connect, resolve
from scraper.http.wire.deadline import Deadline
from scraper.http.wire.head import read_head
from scraper.http.wire.stream import Stream

#: Seconds for the name of a host that a proxy will resolve for itself.
_PROXY_LOOKUP = 2.0


class Origin(NamedTuple):
    """Scheme, host and port of a URL; `name` is the host as the URL has it, with its port if it has one."""

    secure: bool
    host: str
    port: int
    name: str


@dataclass(frozen=True)
class Route:
    """How an origin is reached: at the address of `host` and `port`, or through a proxy.

    `public_only`: whether addresses outside the public internet are refused.
    """

    origin: Origin
    host: str
    port: int
    proxy: Proxy | None
    public_only: bool

    @property
    def forwarded(self) -> Proxy | None:
        """The proxy that is sent whole URLs, if any: those of https get a tunnel."""
        return None if self.origin.secure else self.proxy


def open_stream(route: Route, tls: ssl.SSLContext, deadline: Deadline) -> Stream:
    """A connection. Raises TransientError, and FetchError for a private address."""
    if route.proxy is None:
        opened = _direct(route, deadline)
    else:
        opened = _through(route, route.proxy, tls, deadline)
    if route.origin.secure:
        opened = _secured(opened, tls, route.origin.host, deadline)
    return Stream(opened, deadline)


def _direct(route: Route, deadline: Deadline) -> socket.socket:
    addresses = resolve(route.host, route.port, deadline)
    if route.public_only and not all(address.is_public for address in addresses):
        raise private_address(route.origin.name)
    return connect(addresses, deadline)


def _through(route: Route, proxy: Proxy, tls: ssl.SSLContext, deadline: Deadline) -> socket.socket:
    if route.public_only:
        _check_before_proxy(route, deadline)
    opened = connect(resolve(proxy.host, proxy.port, deadline), deadline)
    if proxy.secure:
        opened = _secured(opened, tls, proxy.host, deadline)
    if route.origin.secure:
        _open_tunnel(opened, route.origin, proxy, deadline)
    return opened


def _check_before_proxy(route: Route, deadline: Deadline) -> None:
    """The proxy resolves names, perhaps such as are unknown here; what is known to be private is refused."""
    try:
        addresses = resolve(route.host, route.port, Deadline(min(_PROXY_LOOKUP, deadline.wait())))
    except TransientError:
        return
    if not all(address.is_public for address in addresses):
        raise private_address(route.origin.name)


def _open_tunnel(opened: socket.socket, origin: Origin, proxy: Proxy, deadline: Deadline) -> None:
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    lines = [f"CONNECT {host}:{origin.port} HTTP/1.1", f"Host: {host}:{origin.port}"]
    if proxy.authorization:
        lines.append(f"Proxy-Authorization: {proxy.authorization}")
    stream = Stream(opened, deadline)
    try:
        stream.send("\r\n".join([*lines, "", ""]).encode("ascii"))
        if not 200 <= read_head(stream).status < 300:
            raise no_connection()
    except BaseException:
        stream.close()
        raise


def _secured(opened: socket.socket, tls: ssl.SSLContext, host: str, deadline: Deadline) -> socket.socket:
    try:
        opened.settimeout(deadline.wait())
        name = host.rstrip(".")
        if isinstance(opened, ssl.SSLSocket):  # a tunnel through a proxy that itself speaks TLS
            return SSLTransport(opened, tls, name)  # type: ignore[return-value]  # it acts as a socket
        return tls.wrap_socket(opened, server_hostname=name)
    except BaseException as error:
        opened.close()
        raise _tls_failure(error) from None


def _tls_failure(error: BaseException) -> BaseException:
    match error:
        case ssl.SSLCertVerificationError():
            return certificate()
        case TimeoutError():
            return timeout()
        case ssl.SSLError() | ValueError():  # a name that no certificate can have
            return no_tls()
        case OSError():
            return cut()
    return error
