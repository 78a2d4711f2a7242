"""Redirects: which responses are one, and where they lead."""

from scraper.http.transport import Response
from scraper.http.urls import url_key

#: How many redirects of a URL are followed.
MAX_REDIRECTS = 5

_STATUSES = {301, 302, 303, 307, 308}


def is_redirect(response: Response) -> bool:
    """Whether the response sends us to another URL."""
    return response.status in _STATUSES


def target(response: Response) -> str | None:
    """The absolute URL that a redirect leads to; None if it names none."""
    location = response.headers.get("location", "")
    return url_key(location, response.url) if location else None
