"""What went wrong with a request, whichever library sent it."""

import http.client
import ssl
from collections.abc import Iterator

import httpx
import requests
import urllib3.exceptions

from scraper.http.errors import TransientError
from scraper.http.reason import Reason
from scraper.tables import ReasonKind

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
_TIMEOUT = Reason(ReasonKind.TIMEOUT, "timeout")
_CUT = Reason(ReasonKind.CONNECTION_CUT, "connection cut off")

#: The first line with the type of the error, or of one of its causes, gives the reason.
_REASONS: tuple[tuple[tuple[type[BaseException], ...], Reason], ...] = (
    ((ssl.SSLCertVerificationError,), Reason(ReasonKind.CERTIFICATE, "certificate not accepted")),
    (
        (TimeoutError, requests.Timeout, urllib3.exceptions.ReadTimeoutError, httpx.TimeoutException),
        _TIMEOUT,
    ),
    ((ConnectionResetError, ConnectionAbortedError, BrokenPipeError), _CUT),
    (
        (requests.exceptions.SSLError, urllib3.exceptions.NewConnectionError, httpx.ConnectError),
        NO_CONNECTION,
    ),
    (
        (
            requests.exceptions.InvalidHeader,
            urllib3.exceptions.ProtocolError,
            urllib3.exceptions.InvalidHeader,
            urllib3.exceptions.SSLError,
            http.client.HTTPException,
            httpx.NetworkError,
            httpx.RemoteProtocolError,
        ),
        _CUT,
    ),
    (
        (urllib3.exceptions.DecodeError,),
        Reason(ReasonKind.CONTENT_ENCODING, "no usable answer (DecodeError)"),
    ),
    (
        (
            requests.exceptions.InvalidURL,
            urllib3.exceptions.LocationValueError,
            httpx.InvalidURL,
            httpx.UnsupportedProtocol,
            UnicodeError,
        ),
        Reason(ReasonKind.INVALID_URL, "no usable answer (InvalidURL)"),
    ),
)


def timeout() -> TransientError:
    """The response did not arrive in time."""
    return TransientError(_TIMEOUT)


def malformed() -> TransientError:
    """The response breaks the rules of HTTP, so that it is unknown where it ends or what its headers say."""
    return TransientError(_CUT)


def failure_reason(error: BaseException) -> Reason:
    """The reason of one of `LIBRARY_ERRORS`."""
    causes = list(_causes(error))
    for types, reason in _REASONS:
        if any(isinstance(cause, types) for cause in causes):
            return reason
    return Reason(ReasonKind.UNUSABLE_RESPONSE, f"no usable answer ({type(error).__name__})")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all that it wraps; urllib3 and requests keep some of it only in `args`."""
    found: list[BaseException] = [error]
    for cause in found:
        yield cause
        linked = (cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args)
        found += [other for other in linked if isinstance(other, BaseException) and other not in found]
