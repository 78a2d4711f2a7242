"""What came of a request, and what is wrong with it."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from scraper.http.challenge import is_challenge
from scraper.http.errors import TransientError
from scraper.http.reason import Reason
from scraper.http.retry_after import parse_retry_after
from scraper.http.symptoms import TOO_MANY
from scraper.http.transport import Response, Transport
from scraper.tables import ReasonKind

_FORBIDDEN = {401, 403}

#: Errors that a host in order answers with; limiters use almost any other.
_ORDERLY = {404, 410, 451}

#: So much of a body shows whether it is markup.
_START_BYTES = 1024

#: Text has no control characters but white space, and JSON or a sentence starts in ASCII; images do neither.
_CONTROL, _ASCII_BYTES = {*range(0x20), 0x7F} - {*b"\t\n\r\f"}, 8

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_CHALLENGE = Reason(ReasonKind.CHALLENGE, "a challenge page")
_EMPTY = Reason(ReasonKind.EMPTY, "empty")
_TEXT = Reason(ReasonKind.TEXT_INSTEAD_OF_IMAGE, "text instead of an image")
_HTML = Reason(ReasonKind.HTML_INSTEAD_OF_IMAGE, "HTML instead of an image")


@dataclass(frozen=True)
class Answer:
    """A response, or an error in its place; `started` is of `time.monotonic`."""

    started: float
    response: Response | None = None
    error: TransientError | None = None

    @property
    def retry_after(self) -> float | None:
        """Seconds for which the host asks us to wait."""
        return parse_retry_after(self.response.headers.get("retry-after")) if self.response else None


def trouble(url: str, answer: Answer, transport: Transport) -> Reason | None:
    """What is wrong with the answer to a URL: nothing also if it is a redirect or a 404."""
    response = answer.response
    if response is None:
        assert answer.error is not None
        return answer.error.reason
    wants_image = transport.content == "image"
    if is_challenge(response, instead_of_image=wants_image):
        return _CHALLENGE
    if response.status == 200 and wants_image:
        return _instead_of_image(response.body)
    if response.status < 400 or response.status in _ORDERLY:
        return None
    # RFC 9309 2.3.1.3: a robots.txt that is not available forbids nothing.
    if response.status < 500 and response.status not in TOO_MANY and is_robots(url):
        return None
    return Reason.of_status(response.status)


def is_rejection(reason: Reason) -> bool:
    """Whether the host forbids a URL, or asks for a human."""
    return reason.kind == ReasonKind.CHALLENGE or reason.http_status in _FORBIDDEN


def is_robots(url: str) -> bool:
    """Whether the URL is that of a host's robots.txt."""
    return urlsplit(url).path == "/robots.txt"


def _instead_of_image(body: bytes) -> Reason | None:
    """What hosts in trouble send with status 200 in place of an image; an SVG is none of that."""
    if not body:
        return _EMPTY
    start = body[:_START_BYTES].removeprefix(_BYTE_ORDER_MARK).lstrip().lower()
    if start.startswith(b"<"):
        return None if b"<svg" in start else _HTML
    return _TEXT if _CONTROL.isdisjoint(start) and all(byte < 0x80 for byte in start[:_ASCII_BYTES]) else None
