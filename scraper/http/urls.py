"""A canonical form for each URL."""

import re
from enum import Enum
from functools import lru_cache
from urllib.parse import unquote, urljoin, urlsplit

from url_normalize import url_normalize
from w3lib.url import canonicalize_url

#: Characters of the longest URL that is followed. RFC 9110 4.1 asks everyone to support 8,000 octets, as
#: nginx and Apache do unless told otherwise; IIS and large load balancers accept 16 KB.
LONGEST_URL = 16_000


class LinkFault(Enum):
    """Why a link is left out; `text` says it after "links left out:"."""

    text: str

    def __new__(cls, value: str, text: str = "") -> "LinkFault":
        member = object.__new__(cls)
        member._value_ = value
        member.text = text
        return member

    NO_HTTP = "no_http", "no http address"
    USER_NAME = "user_name", "an address with a user name"
    INVALID = "invalid", "no valid address"
    TOO_LONG = "too_long", f"longer than {LONGEST_URL:,} characters"
    TOO_MANY = "too_many", "too many on one page"


#: Query parameters (lower-cased) that identify sessions, not pages.
_SESSION_PARAMETERS = {
    "phpsessid", "jsessionid", "sid", "sessionid", "session_id", "oscsid", "gclid", "fbclid",
    "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content",
}  # fmt: skip

#: Most links are canonical already; recognising that takes a hundredth of the time of making the key.
_CANONICAL_LINK = re.compile(
    r"https?://(?:[a-z0-9]{1,40}[.-])*[a-z0-9]{1,40}(?::[1-9]\d{3}|:[1-5]\d{4})?"
    r"(?:/[A-Za-z0-9_~-][A-Za-z0-9_.~-]*)+",
    re.ASCII,
)

#: Keys of longer links are not remembered: thousands of them would fill the memory, characters.
_REMEMBERED = 500

#: An image within the page instead of its address.
_DATA_URL = re.compile(r"\s{0,9}data:", re.IGNORECASE)


def url_key(link: str, base: str = "", strip_query: bool = False) -> str | None:
    """The canonical form of a link found on the page `base`; None if it is left out (see `resolve`).

    Absolute, host lower-cased, no default port, no fragment, dot segments resolved, percent-encoding and
    order of the query canonical, no session or tracking parameters. `url_key(url_key(x)) == url_key(x)`.
    """
    key = resolve(link, base, strip_query)
    return None if isinstance(key, LinkFault) else key


def resolve(link: str, base: str = "", strip_query: bool = False) -> str | LinkFault:
    """The key of a link (see `url_key`), or why it is left out: only http(s) URLs of some length have one."""
    if len(link) > LONGEST_URL:
        return LinkFault.NO_HTTP if _DATA_URL.match(link) else LinkFault.TOO_LONG
    return (_remembered if len(link) <= _REMEMBERED else _resolve)(link, base, strip_query)


def _resolve(link: str, base: str, strip_query: bool) -> str | LinkFault:
    if _CANONICAL_LINK.fullmatch(link):
        return link
    try:
        url = urljoin(base, link.strip())
        parts = urlsplit(url)
        if parts.scheme.lower() not in ("http", "https"):
            return LinkFault.NO_HTTP
        if parts.username is not None:
            return LinkFault.USER_NAME
        if not parts.hostname:
            return LinkFault.INVALID
        url = _canonical(_canonical(url))  # each library may normalise further what the other has escaped
        url = _without_session(url.partition("?")[0] if strip_query else url)
        if not re.fullmatch(r"[\w.:\[\]-]+", urlsplit(url).netloc, re.ASCII):
            return LinkFault.INVALID
        return url if len(url) <= LONGEST_URL else LinkFault.TOO_LONG
    except (ValueError, UnicodeError):
        return LinkFault.INVALID


_remembered = lru_cache(maxsize=65536)(_resolve)


def _canonical(url: str) -> str:
    return canonicalize_url(url_normalize(url) or "")


def _without_session(url: str) -> str:
    address, _, query = url.partition("?")
    address = re.sub(r"(?i);jsessionid=[^/]*", "", address)
    kept = [part for part in query.split("&") if part.partition("=")[0].lower() not in _SESSION_PARAMETERS]
    return "?".join([address, "&".join(kept)]) if query and kept else address


def host_of(url: str) -> str:
    """Host of a URL, with its port if the URL has one."""
    return urlsplit(url).netloc


def file_name(url: str) -> str:
    """Last part of a URL's path, decoded. Untrusted text: for the tables, never for a path."""
    return unquote(urlsplit(url).path.rpartition("/")[2])
