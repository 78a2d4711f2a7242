"""Make requests as strict with a response as httpx is: its http.client overlooks damage."""

import io
import re
import socket
from http.client import HTTPException, HTTPResponse, RemoteDisconnected

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

_MAX_LINE = 65536


class _Reader(io.BufferedReader):
    """Lines of a status, of headers and of chunk sizes: a connection never ends where one is due."""

    def readline(self, size: int | None = -1, /) -> bytes:
        line = super().readline(size)
        if not line:
            raise RemoteDisconnected("The connection ended in the middle of a response")
        return line


class _Response(HTTPResponse):
    """Refuses malformed headers and chunk sizes, and skips interim responses (RFC 9110 15.2)."""

    def __init__(self, sock: socket.socket, debuglevel: int = 0, method: str | None = None):
        super().__init__(sock, debuglevel, method)
        self.fp = _Reader(self.fp.detach())

    def begin(self) -> None:
        """Read the status and the headers of the final response."""
        super().begin()
        while 101 < self.status < 200:
            self.headers = self.msg = None  # type: ignore[assignment]  # as before the first response
            super().begin()
        if self.msg.defects or self.msg.get_unixfrom():
            raise HTTPException("The headers are malformed")

    def _read_next_chunk_size(self) -> int:
        """Called by http.client, which would take `0x10`, `+1` and `1_0`; it expects a ValueError."""
        size = self.fp.readline(_MAX_LINE).partition(b";")[0].strip()
        if not re.fullmatch(b"[0-9A-Fa-f]{1,20}", size):
            raise ValueError("The size of a chunk is not a hexadecimal number")
        return int(size, 16)


class _Connection(HTTPConnection):
    response_class = _Response


class _SecureConnection(HTTPSConnection):
    response_class = _Response


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class StrictAdapter(HTTPAdapter):
    """Connections of requests whose responses are read strictly."""

    def init_poolmanager(
        self, connections: int, maxsize: int, block: bool = False, **options: object
    ) -> None:
        """See HTTPAdapter."""
        super().init_poolmanager(connections, maxsize, block, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
