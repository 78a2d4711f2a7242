"""The bytes of a connection, read as they arrive and before a deadline."""

import select
import socket
import ssl
import time

from scraper.http.failures import cut, malformed, timeout
from scraper.http.wire.deadline import Deadline

#: Bytes that are received at a time.
_RECEIVED = 65_536


class Stream:
    """A connection to read from and to write to. Raises TransientError if it ends early or is too slow.

    `deadline` is that of the exchange for which it is in use; `reused` if it was in use for more than one.
    """

    deadline: Deadline
    reused = False

    def __init__(self, connection: socket.socket, deadline: Deadline):
        self._connection, self.deadline = connection, deadline
        self._arrived = bytearray()
        self._last_used = time.monotonic()

    @property
    def arrived(self) -> int:
        """The number of bytes that have arrived and are not read yet."""
        return len(self._arrived)

    @property
    def idle_seconds(self) -> float:
        """Seconds since bytes last arrived."""
        return time.monotonic() - self._last_used

    def is_silent(self, seconds: float = 0.0) -> bool:
        """Whether the connection is open and nothing has arrived on it for so long, which is waited for."""
        if self._arrived or self._connection.fileno() < 0 or self._decrypted:
            return False
        poll = select.poll()
        poll.register(self._connection, select.POLLIN)
        return not poll.poll(1000 * max(0.0, seconds - self.idle_seconds))

    @property
    def _decrypted(self) -> bool:
        """Whether the TLS library holds bytes back, or may do so."""
        if isinstance(self._connection, ssl.SSLSocket):
            return self._connection.pending() > 0
        return not isinstance(self._connection, socket.socket)

    def send(self, content: bytes) -> None:
        """Send these bytes."""
        try:
            self._connection.settimeout(self.deadline.wait())
            self._connection.sendall(content)
        except TimeoutError:
            raise timeout() from None
        except OSError:
            raise cut() from None

    def read(self, most: int) -> bytes:
        """The next bytes, up to `most`, as soon as there are any; none at the end of the connection."""
        if not self._arrived:
            return self._receive(min(most, _RECEIVED))
        content = bytes(self._arrived[:most])
        del self._arrived[:most]
        return content

    def line(self, longest: int) -> bytes:
        """The next line with its line feed. Raises FetchError if it is longer than `longest` bytes."""
        searched = 0
        while (end := self._arrived.find(b"\n", searched)) < 0:
            searched = len(self._arrived)
            if searched >= longest:
                raise malformed()
            received = self._receive(_RECEIVED)
            if not received:
                raise cut()
            self._arrived += received
        if end >= longest:
            raise malformed()
        return self.read(end + 1)

    def skip(self, expected: bytes) -> bool:
        """Skip these bytes if they have arrived; returns whether they had."""
        found = self._arrived.startswith(expected)
        if found:
            del self._arrived[: len(expected)]
        return found

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _receive(self, most: int) -> bytes:
        try:
            self._connection.settimeout(self.deadline.wait())
            received = self._connection.recv(most)
        except TimeoutError:
            raise timeout() from None
        except OSError:
            raise cut() from None
        self._last_used = time.monotonic()
        return received
