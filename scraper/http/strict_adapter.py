"""Make requests as strict with a response as httpx is: its http.client overlooks damage."""

import io
import re
import socket
import ssl
from collections import deque
from email.errors import (
    FirstHeaderLineIsContinuationDefect,
    InvalidHeaderDefect,
    MissingHeaderBodySeparatorDefect,
)
from http.client import HTTPException, HTTPResponse, RemoteDisconnected
from typing import Any

from requests import PreparedRequest
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, ProxyManager
from urllib3.connection import HTTPConnection, HTTPSConnection

#: The longest line, and the longest head; h11, the parser of httpx, has the same limit of a head.
_MAX_LINE, _MAX_HEAD = 65_536, 100 * 1024

#: As h11 reads them.
_CHUNK_HEADER = re.compile(rb"([0-9A-Fa-f]{1,20})(?:;.*)?[ \t]*\r\n")
_TRAILER = re.compile(rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:|[ \t])[^\x00\n\v\f\r]*\r?\n")

#: Other defects are those of a body in several parts, which is not read as one here.
_HEADER_DEFECTS = (
    FirstHeaderLineIsContinuationDefect,
    InvalidHeaderDefect,
    MissingHeaderBodySeparatorDefect,
)


class _Reader(io.BufferedReader):
    """The stream of a response. A connection never ends where a line is due."""

    def __init__(self, raw: io.RawIOBase):
        super().__init__(raw)
        self._head: deque[bytes] = deque()

    def readline(self, size: int | None = -1, /) -> bytes:
        if self._head:
            return self._head.popleft()
        line = super().readline(size)
        if not line.endswith(b"\n") and (size is None or size < 0 or len(line) < size):
            raise RemoteDisconnected("The connection ended in the middle of a line")
        return line

    def read_head(self) -> None:
        """Receive all lines up to an empty one before any is parsed: a cut comes before damage."""
        lines, size = [b""], 0
        while lines[-1] not in (b"\r\n", b"\n"):
            lines.append(self.readline(_MAX_HEAD))
            size += len(lines[-1])
            if size >= _MAX_HEAD:
                raise HTTPException("The head is too long")
        self._head.extend(lines[1:])


class _Response(HTTPResponse):
    """Refuses malformed headers and chunks, and skips interim responses (RFC 9110 15.2)."""

    fp: _Reader

    def __init__(self, sock: socket.socket, debuglevel: int = 0, method: str | None = None):
        super().__init__(sock, debuglevel, method)
        self.fp = _Reader(self.fp.detach())

    def begin(self) -> None:
        """Read the status and the headers of the final response."""
        super().begin()
        while 101 < self.status < 200:
            self.headers = self.msg = None  # type: ignore[assignment]  # as before the first response
            super().begin()
        damaged = any(isinstance(defect, _HEADER_DEFECTS) for defect in self.msg.defects)
        if damaged or self.msg.get_unixfrom():
            raise HTTPException("The headers are malformed")

    # Called by http.client, which would accept more than a well-formed head and well-formed chunks.

    def _read_status(self) -> tuple[str, int, str]:
        self.fp.read_head()
        status: tuple[str, int, str] = super()._read_status()  # type: ignore[misc]  # not in the stubs
        return status

    def _get_chunk_left(self) -> int | None:
        if self.chunk_left == 0:
            if self.fp.readline(2) != b"\r\n":
                raise HTTPException("A chunk does not end where its size says")
            self.chunk_left = None
        left: int | None = super()._get_chunk_left()  # type: ignore[misc]  # not in the stubs
        return left

    def _read_next_chunk_size(self) -> int:
        header = _CHUNK_HEADER.fullmatch(self.fp.readline(_MAX_LINE))
        if not header:
            raise HTTPException("The size of a chunk is malformed")
        return int(header[1], 16)

    def _read_and_discard_trailer(self) -> None:
        self.fp.read_head()
        while (line := self.fp.readline()) not in (b"\r\n", b"\n"):
            if not _TRAILER.fullmatch(line):
                raise HTTPException("The trailer is malformed")


class _Connection(HTTPConnection):
    response_class = _Response


class _SecureConnection(HTTPSConnection):
    response_class = _Response


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


_POOLS = {"http": _Pool, "https": _SecurePool}


class StrictAdapter(HTTPAdapter):
    """Connections of requests whose responses are read strictly, also those behind a proxy.

    `tls` alone says which certificates are accepted.
    """

    def __init__(self, tls: ssl.SSLContext):
        self._tls = tls
        super().__init__()

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
        """See HTTPAdapter."""
        super().init_poolmanager(connections, maxsize, block, ssl_context=self._tls, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **options: Any) -> ProxyManager:
        """See HTTPAdapter."""
        manager: ProxyManager = super().proxy_manager_for(proxy, ssl_context=self._tls, **options)
        if not proxy.lower().startswith("socks"):  # their pools open other connections
            manager.pool_classes_by_scheme = _POOLS
        return manager

    def build_connection_pool_key_attributes(
        self, request: PreparedRequest, verify: object, cert: Any = None
    ) -> tuple[Any, Any]:
        """See HTTPAdapter."""
        return super().build_connection_pool_key_attributes(request, True, cert)

    def cert_verify(self, conn: object, url: object, verify: object, cert: object) -> None:
        """Add no certificate authorities to those of `tls`."""
