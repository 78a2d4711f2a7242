"""A canonical form for each URL."""

import re
from functools import lru_cache
from urllib.parse import unquote, urljoin, urlsplit

from url_normalize import url_normalize
from w3lib.url import canonicalize_url

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


@lru_cache(maxsize=65536)
def url_key(link: str, base: str = "", strip_query: bool = False) -> str | None:
    """The canonical form of a link found on the page `base`; None if it is not an http(s) URL.

    Absolute, host lower-cased, no default port, no fragment, dot segments resolved, percent-encoding and
    order of the query canonical, no session or tracking parameters. `url_key(url_key(x)) == url_key(x)`.
    """
    if _CANONICAL_LINK.fullmatch(link):
        return link
    try:
        url = urljoin(base, link.strip())
        parts = urlsplit(url)
        if parts.scheme.lower() not in ("http", "https") or not parts.hostname or parts.username is not None:
            return None
        url = _canonical(_canonical(url))  # each library may normalise further what the other has escaped
        url = _without_session(url.partition("?")[0] if strip_query else url)
        return url if re.fullmatch(r"[\w.:\[\]-]+", urlsplit(url).netloc, re.ASCII) else None
    except (ValueError, UnicodeError):
        return None


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
