"""The page that an image is requested for."""

from urllib.parse import urlsplit


def referer_header(page: str, url: str) -> dict[str, str]:
    """The `Referer` of a request for what a page shows, without fragment and user name (RFC 9110 10.1.3).

    Empty where the request is not encrypted and the page was.
    """
    parts = urlsplit(page)
    if parts.scheme == "https" and urlsplit(url).scheme != "https":
        return {}
    host = parts.netloc.rpartition("@")[2]
    return {"Referer": parts._replace(netloc=host, fragment="").geturl()}
