"""The proxies that the environment names."""

from typing import NamedTuple
from urllib.request import getproxies

from requests.utils import get_auth_from_url, get_environ_proxies, select_proxy
from urllib3.exceptions import LocationParseError
from urllib3.util import make_headers, parse_url

from gemkit.errors import UserError


class Proxy(NamedTuple):
    """Where a proxy listens, and the `Proxy-Authorization` that it asks for, if any."""

    secure: bool
    host: str
    port: int
    authorization: str | None


def check_proxies() -> None:
    """Raise UserError for a proxy that cannot be used."""
    proxies = getproxies()
    for name in ("http", "https", "all"):
        if proxy := proxies.get(name, ""):
            try:
                parts = parse_url(_with_scheme(proxy))
            except LocationParseError:
                raise UserError(
                    f"{name}_proxy names no address; name one like 'http://proxy.example:3128', "
                    "or unset that environment variable."
                ) from None
            scheme = parts.scheme
            if scheme not in ("http", "https"):
                raise UserError(
                    f"{name}_proxy names a proxy of the kind '{scheme}'; name one that starts with "
                    "'http://', or unset that environment variable."
                )


def proxy_for(url: str) -> Proxy | None:
    """The proxy for a URL by the environment, where `no_proxy` names exceptions."""
    proxy = select_proxy(url, get_environ_proxies(url))
    if not proxy:
        return None
    proxy = _with_scheme(proxy)
    parts, (user, password) = parse_url(proxy), get_auth_from_url(proxy)
    secure = parts.scheme == "https"
    basic = make_headers(proxy_basic_auth=f"{user}:{password}") if user else {}
    port = parts.port or (443 if secure else 80)
    return Proxy(secure, (parts.host or "").strip("[]"), port, basic.get("proxy-authorization"))


def _with_scheme(proxy: str) -> str:
    return proxy if "://" in proxy else f"http://{proxy}"
