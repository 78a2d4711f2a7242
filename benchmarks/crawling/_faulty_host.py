"""A host on loopback whose answers are scripted, down to their bytes and the pauses between them.

It can go down and come back at the same address, and it can limit requests as nginx does.
"""

import socket
import socketserver
import struct
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler
from time import monotonic, sleep
from types import TracebackType
from typing import NamedTuple, Self

#: Close the connection, or reset it.
CUT, RESET = "cut", "reset"

#: Bytes to send, seconds to wait, CUT or RESET, in order.
Answer = Sequence[bytes | float | str]


class Request(NamedTuple):
    """A request that got an answer; `at` is of `time.monotonic`, `status` is 0 unless the answer has one."""

    at: float
    path: str
    status: int


class Host(socketserver.ThreadingTCPServer):
    """`with Host(answer) as host`: answers by path, until the block ends."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 256

    def __init__(self, answer: Callable[[str], Answer]):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.log: list[Request] = []
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._serve()

    def _serve(self) -> None:
        threading.Thread(target=self.serve_forever, args=[0.02], daemon=True).start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.go_down()

    def __enter__(self) -> Self:
        return self

    @property
    def name(self) -> str:
        """The host as URLs name it, with its port."""
        return "{}:{}".format(*self.server_address)

    @property
    def counts(self) -> Counter[str]:
        """How often each path was requested."""
        return Counter(request.path for request in self.log)

    def go_down(self) -> None:
        """Refuse connections, and reset those that are open."""
        self.shutdown()
        self.server_close()
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            reset(connection)

    def come_back(self) -> None:
        """Listen again at the same address."""
        self.socket = socket.socket(self.address_family, self.socket_type)
        self.server_bind()
        self.server_activate()
        self._serve()

    def record(self, path: str) -> Answer:
        """The answer to a request, which is logged."""
        with self._lock:
            answer = self.answer(path)
            self.log.append(Request(monotonic(), path, _status(answer)))
        return answer

    def process_request(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override]
        """Remember the connection."""
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)  # type: ignore[arg-type]

    def shutdown_request(self, request: socket.socket) -> None:  # type: ignore[override]
        """Close at once: otherwise a FIN would be sent before an RST."""
        with self._lock:
            self._open.discard(request)
        request.close()

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore clients that hang up: this server provokes it."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Host

    def do_GET(self) -> None:
        for step in self.server.record(self.path.partition("?")[0]):
            if isinstance(step, bytes):
                self.wfile.write(step)
            elif isinstance(step, float):
                sleep(step)
            else:
                self.close_connection = True
                if step == RESET:
                    _linger_not(self.connection)

    def log_message(self, format: str, *args: object) -> None:
        pass


def reset(connection: socket.socket) -> None:
    """End a connection that another thread may be reading: its peer gets an RST."""
    try:
        _linger_not(connection)
        connection.shutdown(socket.SHUT_RD)
    except OSError:
        return  # it has ended already


def _linger_not(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _status(answer: Answer) -> int:
    first = answer[0] if answer else b""
    words = first.split(None, 2) if isinstance(first, bytes) else []
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else 0


def http(body: bytes = b"", status: int = 200, **headers: str) -> bytes:
    """A whole answer; `_` in a header's name becomes `-`."""
    lines = {"Content-Length": str(len(body)), **{key.replace("_", "-"): headers[key] for key in headers}}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} x\r\n{head}\r\n".encode("latin-1") + body


class LimitReq:
    """nginx's `limit_req`: a leaky bucket of `rate` requests a second that holds `burst` more.

    As in ngx_http_limit_req_module.c, a refused request does not fill the bucket.
    """

    def __init__(self, rate: float, burst: int = 0):
        self.rate, self.burst = rate, burst
        self._excess, self._last = 0.0, 0.0

    def refuses(self) -> bool:
        """Whether a request made now is refused."""
        now = monotonic()
        excess = max(0.0, self._excess - (now - self._last) * self.rate + 1) if self._last else 0.0
        if excess > self.burst:
            return True
        self._excess, self._last = excess, now
        return False
