"""Why a request failed: a FetchError if it concerns its URL alone, else a TransientError."""

from scraper.http.errors import FetchError, TransientError
from scraper.http.reason import Reason
from scraper.tables import ImageStatus, ReasonKind

#: The response did not arrive in time.
TIMEOUT = Reason(ReasonKind.TIMEOUT, "timeout")
_CUT = Reason(ReasonKind.CONNECTION_CUT, "connection cut off")
_NO_CONNECTION = Reason(ReasonKind.NO_CONNECTION, "no connection")
_TLS = Reason(ReasonKind.TLS, "no TLS connection")
_CERTIFICATE = Reason(ReasonKind.CERTIFICATE, "certificate not accepted")
_MALFORMED = Reason(ReasonKind.MALFORMED, "malformed response")
_DAMAGED = Reason(ReasonKind.CONTENT_ENCODING, "cannot be decompressed")
_UNASKED = Reason(ReasonKind.CONTENT_ENCODING, "compressed without being asked to be")
_INVALID_URL = Reason(ReasonKind.INVALID_URL, "invalid URL")


def timeout() -> TransientError:
    """The response did not arrive in time."""
    return TransientError(TIMEOUT)


def cut() -> TransientError:
    """The connection ended before the response did."""
    return TransientError(_CUT)


def no_connection() -> TransientError:
    """The host's name does not resolve, or nothing answers at its addresses."""
    return TransientError(_NO_CONNECTION)


def no_tls() -> TransientError:
    """The host does not speak TLS, or none that is accepted."""
    return TransientError(_TLS)


def certificate() -> TransientError:
    """The host's certificate is not accepted."""
    return TransientError(_CERTIFICATE)


def private_address(host: str) -> FetchError:
    """The host has an address outside the public internet."""
    reason = Reason(ReasonKind.PRIVATE_ADDRESS, f"host {host} has a private address")
    return FetchError(ImageStatus.REFUSED, reason)


def malformed() -> FetchError:
    """It is unknown where the response ends, or what it is."""
    return FetchError(ImageStatus.FAILED, _MALFORMED)


def damaged() -> FetchError:
    """The body cannot be decompressed."""
    return FetchError(ImageStatus.FAILED, _DAMAGED)


def compressed_unasked() -> FetchError:
    """The body is compressed in a way that cannot be undone here."""
    return FetchError(ImageStatus.FAILED, _UNASKED)


def invalid_url() -> FetchError:
    """The URL cannot be requested."""
    return FetchError(ImageStatus.FAILED, _INVALID_URL)
