"""The reason why a request failed, whichever library sent it."""

import http.client
import ssl
from collections.abc import Iterator

import httpx
import requests
import urllib3.exceptions

from scraper.http.errors import FetchError, TransientError
from scraper.http.reason import Reason
from scraper.tables import ImageStatus, ReasonKind

#: Everything that requests, urllib3 and httpx raise when a request fails.
LIBRARY_ERRORS = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    httpx.HTTPError,
    httpx.InvalidURL,
    UnicodeError,
)

NO_CONNECTION = Reason(ReasonKind.NO_CONNECTION, "no connection")
TIMEOUT = Reason(ReasonKind.TIMEOUT, "timeout")
_CUT = Reason(ReasonKind.CONNECTION_CUT, "connection cut off")
_MALFORMED = Reason(ReasonKind.MALFORMED, "malformed response")
_INVALID_URL = Reason(ReasonKind.INVALID_URL, "invalid URL")
_OTHER = Reason(ReasonKind.UNUSABLE_RESPONSE, "no usable response")

#: The first line with the type of the error, or of one of its causes, gives the reason.
_REASONS: tuple[tuple[tuple[type[BaseException], ...], Reason], ...] = (
    ((ssl.SSLCertVerificationError,), Reason(ReasonKind.CERTIFICATE, "certificate not accepted")),
    (
        (TimeoutError, requests.Timeout, urllib3.exceptions.ReadTimeoutError, httpx.TimeoutException),
        TIMEOUT,
    ),
    ((ConnectionResetError, ConnectionAbortedError, BrokenPipeError, http.client.IncompleteRead), _CUT),
    ((ssl.SSLError,), Reason(ReasonKind.TLS, "no TLS connection")),
    ((urllib3.exceptions.NewConnectionError, httpx.ConnectError), NO_CONNECTION),
    (
        (
            requests.exceptions.InvalidHeader,
            urllib3.exceptions.InvalidHeader,
            http.client.HTTPException,
            httpx.RemoteProtocolError,
        ),
        _MALFORMED,
    ),
    ((urllib3.exceptions.ProtocolError, httpx.NetworkError), _CUT),
    (
        (urllib3.exceptions.DecodeError,),
        Reason(ReasonKind.CONTENT_ENCODING, "cannot be decompressed"),
    ),
    (
        (
            requests.exceptions.InvalidURL,
            urllib3.exceptions.LocationValueError,
            httpx.InvalidURL,
            httpx.UnsupportedProtocol,
            UnicodeError,
        ),
        _INVALID_URL,
    ),
)

#: Texts of httpx about a connection that ended: it has no other sign that tells them from damage.
_ENDED = ("Server disconnected", "peer closed connection", "peer unexpectedly closed")


def timeout() -> TransientError:
    """The response did not arrive in time."""
    return TransientError(TIMEOUT)


def malformed() -> FetchError:
    """The response breaks the rules of HTTP, so that it is unknown where it ends or what its headers say."""
    return FetchError(ImageStatus.FAILED, _MALFORMED)


def invalid_url() -> FetchError:
    """The URL cannot be requested."""
    return FetchError(ImageStatus.FAILED, _INVALID_URL)


def failure(error: BaseException, reused: bool = False) -> FetchError | TransientError:
    """One of `LIBRARY_ERRORS` as ours: a FetchError if it concerns the URL alone.

    On a `reused` connection, a malformed response may be what was left of an earlier one.
    """
    reason = _reason(error)
    if reused and reason == _MALFORMED:
        return TransientError(reason)
    return (
        FetchError(ImageStatus.FAILED, reason)
        if reason in (_MALFORMED, _INVALID_URL)
        else TransientError(reason)
    )


def _reason(error: BaseException) -> Reason:
    causes = list(_causes(error))
    if any(
        isinstance(cause, httpx.RemoteProtocolError) and str(cause).startswith(_ENDED) for cause in causes
    ):
        return _CUT
    for types, reason in _REASONS:
        if any(isinstance(cause, types) for cause in causes):
            return reason
    return _OTHER


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all that it wraps; urllib3 and requests keep some of it only in `args`."""
    found: list[BaseException] = [error]
    for cause in found:
        yield cause
        linked = (cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args)
        found += [other for other in linked if isinstance(other, BaseException) and other not in found]
