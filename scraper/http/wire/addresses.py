"""The addresses of a host, and a connection to one of them: the address that was checked is connected to."""

import ipaddress
import socket
import threading
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

from scraper.http.failures import invalid_url, no_connection, timeout
from scraper.http.wire.deadline import Deadline

#: The only IPv6 addresses that are routed on the public internet (RFC 4291 2.4).
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")

#: Addresses of IPv4 hosts for IPv6 clients (RFC 6052 2.1).
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class Address(NamedTuple):
    """One address of a host; `number` is the IP address, `arguments` are those of `socket.socket`."""

    arguments: tuple[int, int, int]
    number: str
    location: Any

    @property
    def is_public(self) -> bool:
        """Whether it is on the public internet."""
        return is_public(self.number)


def is_public(number: str) -> bool:
    """Whether an IP address is on the public internet; so must be an IPv4 address that it wraps."""
    address = ipaddress.ip_address(number.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        wrapped = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            wrapped = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if wrapped is not None:
            return is_public(str(wrapped))
        if address not in _GLOBAL_UNICAST:
            return False
    return address.is_global and not address.is_multicast


def resolve(host: str, port: int, deadline: Deadline) -> list[Address]:
    """The addresses of a host. Raises TransientError if its name does not resolve, FetchError if it is none.

    The system's resolver knows no deadline, so that it runs in a thread which is left behind.
    """
    answer: SimpleQueue[Any] = SimpleQueue()

    def look_up() -> None:
        try:
            answer.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, ValueError) as error:  # a UnicodeError of a name is one too
            answer.put(error)

    threading.Thread(target=look_up, name=f"resolve {host}", daemon=True).start()
    try:
        found = answer.get(timeout=deadline.wait())
    except Empty:
        raise timeout() from None
    if isinstance(found, ValueError):
        raise invalid_url()
    if isinstance(found, OSError) or not found:
        raise no_connection()
    return [Address((family, kind, protocol), str(at[0]), at) for family, kind, protocol, _, at in found]


def connect(addresses: list[Address], deadline: Deadline) -> socket.socket:
    """A connection to the first of these addresses that answers. Raises TransientError if none does."""
    late = False
    for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
        try:
            return _open(address, deadline.wait() / left)
        except OSError as error:
            late = isinstance(error, TimeoutError)
    raise timeout() if late else no_connection()


def _open(address: Address, seconds: float) -> socket.socket:
    opened = socket.socket(*address.arguments)
    try:
        opened.settimeout(seconds)
        opened.connect(address.location)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        opened.close()
        raise
    return opened
