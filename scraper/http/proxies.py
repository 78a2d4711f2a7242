"""The proxies that the environment names for pages and images."""

from urllib.parse import urlsplit
from urllib.request import getproxies

from gemkit.errors import UserError


def check_proxies() -> None:
    """Raise UserError for a proxy that does not speak HTTP: requests and httpx would each fail in its way."""
    proxies = getproxies()
    for name in ("http", "https", "all"):
        proxy = proxies.get(name, "")
        scheme = urlsplit(proxy).scheme.lower() if "://" in proxy else "http"
        if scheme not in ("http", "https"):
            raise UserError(
                f"{name}_proxy names a proxy of the kind '{scheme}'; name one that starts with 'http://', "
                "or unset that environment variable."
            )
