"""The wire as a transport of requests and as one of httpx."""

from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import httpx
import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPHeaderDict, HTTPResponse

from scraper.http.wire.connection import Origin
from scraper.http.wire.wire import CHUNK, Answer, Wire, WireRequest

_PORTS = {"http": 80, "https": 443}

#: httpx would parse these lines: it may refuse the target of a redirect, and it keeps cookies.
_HIDDEN = {b"location", b"set-cookie"}


class WireAdapter(HTTPAdapter):
    """Sends the requests of a requests session over a wire; `deadline` is an option of `Session.send`."""

    def __init__(self, wire: Wire):
        super().__init__()
        self._wire = wire

    def send(self, request: requests.PreparedRequest, *_: Any, **options: Any) -> requests.Response:
        """See HTTPAdapter."""
        url = str(request.url)
        parts = urlsplit(url)
        port = parts.port or _PORTS[parts.scheme]
        origin = Origin(parts.scheme == "https", parts.hostname or "", port, parts.netloc)
        target = parts._replace(scheme="", netloc="").geturl()
        headers = [(_encoded(name), _encoded(value)) for name, value in request.headers.items()]
        answer = self._wire.send(WireRequest(origin, target, headers), options["deadline"])
        lines = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in answer.lines]
        raw = HTTPResponse(
            answer,  # type: ignore[arg-type]  # of a file it has the methods that are called
            HTTPHeaderDict(lines),
            answer.status,
            preload_content=False,
            decode_content=False,
        )
        return self.build_response(request, raw)


def _encoded(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1")


class WireTransport(httpx.BaseTransport):
    """Sends the requests of an httpx client over a wire.

    `deadline` is an extension of a request; `lines` is one of a response: its header lines as they were sent.
    """

    def __init__(self, wire: Wire):
        self._wire = wire

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """See httpx.BaseTransport."""
        url = request.url
        port = url.port or _PORTS[url.scheme]
        origin = Origin(url.scheme == "https", url.raw_host.decode("ascii"), port, url.netloc.decode("ascii"))
        wire_request = WireRequest(origin, url.raw_path.decode("ascii"), request.headers.raw)
        answer = self._wire.send(wire_request, request.extensions["deadline"])
        shown = [line for line in answer.lines if line[0].lower() not in _HIDDEN]
        extensions = {"lines": answer.lines}
        return httpx.Response(answer.status, headers=shown, stream=_Stream(answer), extensions=extensions)


class _Stream(httpx.SyncByteStream):
    def __init__(self, answer: Answer):
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        return iter(partial(self._answer.read, CHUNK), b"")

    def close(self) -> None:
        self._answer.close()
