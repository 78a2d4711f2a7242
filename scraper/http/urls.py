"""One spelling for each URL, and which addresses a redirect may lead to."""

import ipaddress
import re
import socket
from functools import lru_cache
from urllib.parse import unquote, urljoin, urlsplit

from url_normalize import url_normalize
from w3lib.url import canonicalize_url

#: Parameters (in small letters) that tell visits apart, not pages.
_VISIT_PARAMETERS = {
    "phpsessid", "jsessionid", "sid", "sessionid", "session_id", "oscsid", "gclid", "fbclid",
    "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content",
}  # fmt: skip

#: Most links are spelt as their key already; seeing that takes a hundredth of the time of making the key.
_PLAIN = re.compile(
    r"https?://(?:[a-z0-9]{1,40}[.-])*[a-z0-9]{1,40}(?::[1-9]\d{3}|:[1-5]\d{4})?"
    r"(?:/[A-Za-z0-9_~-][A-Za-z0-9_.~-]*)+",
    re.ASCII,
)


@lru_cache(maxsize=65536)
def url_key(link: str, base: str = "", strip_query: bool = False) -> str | None:
    """The one spelling of a link found on the page `base`; None when it is not an http(s) URL.

    Absolute, host in lower case, no default port, no fragment, dot segments resolved, percent-encoding and
    order of the query canonical, no session or tracking parameters. `url_key(url_key(x)) == url_key(x)`.
    """
    if _PLAIN.fullmatch(link):
        return link
    try:
        url = urljoin(base, link.strip())
        parts = urlsplit(url)
        if parts.scheme.lower() not in ("http", "https") or not parts.hostname or parts.username is not None:
            return None
        url = _canonical(_canonical(url))  # what one of the two libraries escapes, the other may tidy further
        url = _without_visit(url.partition("?")[0] if strip_query else url)
        return url if re.fullmatch(r"[\w.:\[\]-]+", urlsplit(url).netloc, re.ASCII) else None
    except (ValueError, UnicodeError):
        return None


def _canonical(url: str) -> str:
    return canonicalize_url(url_normalize(url) or "")


def _without_visit(url: str) -> str:
    address, _, query = url.partition("?")
    address = re.sub(r"(?i);jsessionid=[^/]*", "", address)
    kept = [part for part in query.split("&") if part.partition("=")[0].lower() not in _VISIT_PARAMETERS]
    return "?".join([address, "&".join(kept)]) if query and kept else address


def host_of(url: str) -> str:
    """Host of a URL, with its port if the URL names one."""
    return urlsplit(url).netloc


def file_name(url: str) -> str:
    """Last part of a URL's path, decoded. Strangers' text: for the tables, never for a path."""
    return unquote(urlsplit(url).path.rpartition("/")[2])


@lru_cache(maxsize=1024)
def is_private(host: str) -> bool:
    """Whether a host name leads to an address that is not of the public internet.

    Raises OSError when it leads to none for now.
    """
    name = urlsplit(f"//{host}").hostname or ""
    try:
        addresses = {entry[4][0] for entry in socket.getaddrinfo(name, None)}
    except UnicodeError:
        return True
    return not all(ipaddress.ip_address(str(address).partition("%")[0]).is_global for address in addresses)
