"""Fetch pages and images: allowed hosts, robots.txt, retries, redirects hop by hop, opt-outs.

A `Host` is polite and tells a URL's trouble from its own, `Hosts` say who may be contacted.
"""

import threading
from collections.abc import Iterable, Mapping, Set
from contextlib import suppress
from functools import partial
from importlib.metadata import version
from urllib.parse import urljoin

from gemkit.extras import DISTRIBUTION
from scraper.http.certificates import tls_context
from scraper.http.cookies import Cookies
from scraper.http.errors import Blocked, FetchError, Postponed, TooLarge, TransientError
from scraper.http.failures import TIMEOUT, no_connection
from scraper.http.host import Host
from scraper.http.hosts import Hosts
from scraper.http.limits import Limits
from scraper.http.opt_out import (
    OPT_OUT_DIRECTIVES,
    PAGE_OPT_OUT_DIRECTIVES,
    disallowed_by_meta_robots,
    disallowed_by_x_robots_tag,
)
from scraper.http.proxies import check_proxies
from scraper.http.rate_limiter import HostHistory, HostRateLimiter
from scraper.http.reason import Reason
from scraper.http.redirects import MAX_REDIRECTS, is_redirect, target
from scraper.http.retries import retry
from scraper.http.robots import PRODUCT, Robots
from scraper.http.robots_text import READ_BYTES
from scraper.http.transport import ImageTransport, PageTransport, Response, RobotsTransport, Transport
from scraper.http.urls import host_of
from scraper.http.wire.wire import HostOverrides, Wire
from scraper.tables import ImageStatus, ReasonKind

#: How a URL ended whose response has this status; any other one failed.
_STATUSES = {
    401: ImageStatus.REFUSED,
    403: ImageStatus.REFUSED,
    404: ImageStatus.GONE,
    410: ImageStatus.GONE,
}

#: A host that a redirect leads to, and that has served nothing yet, is not waited for longer, seconds.
_SHORT_SECONDS = 1.0

_TOO_MANY_REDIRECTS = Reason(ReasonKind.REDIRECT, "too many redirects")


class Fetcher:
    """Fetches pages and images from allowed hosts, from any number of threads.

    When `stop` is set, waiting threads raise Stopped. `respect_x_robots_tag` and `respect_content_signal`:
    whether the store's opt-outs for its images are obeyed. `send_referer`: requests of images name the page
    that shows them. `keep_cookies`: what pages and images set is sent back. Raises UserError if the
    certificate authorities or the proxies that the environment names cannot be used.
    """

    def __init__(
        self,
        page_hosts: list[str],
        image_hosts: list[str],
        limits: Limits,
        contact: str,
        stop: threading.Event,
        host_overrides: HostOverrides,
        histories: Mapping[str, HostHistory],
        respect_x_robots_tag: bool = True,
        respect_content_signal: bool = True,
        send_referer: bool = False,
        keep_cookies: bool = False,
    ):
        self._page_hosts, self._image_hosts = page_hosts, image_hosts
        self.respect_x_robots_tag = respect_x_robots_tag
        self._respect_content_signal = respect_content_signal
        self._hosts = Hosts(limits, histories, stop)
        self._limits, self._stop = limits, stop
        if not host_overrides:  # they are reached without a proxy
            check_proxies()
        user_agent = f"{PRODUCT}/{version(DISTRIBUTION)} (+{contact})"
        # A host that the site itself names may have a private address.
        wire = Wire(tls_context(), {*page_hosts, *image_hosts}, host_overrides)
        self._send_referer = send_referer
        cookies = Cookies() if keep_cookies else None
        self._visited, self._visit_lock = not keep_cookies, threading.Lock()
        self._pages = PageTransport(user_agent, limits.max_page_bytes, wire, cookies)
        self._robots = RobotsTransport(user_agent, READ_BYTES, wire)
        self._images = ImageTransport(user_agent, limits.max_image_bytes, wire, cookies)

    def page(self, url: str, validators: Mapping[str, str], first_try: bool = False) -> Response:
        """A page: 200 with its body, or 304 to `validators`.

        A `first_try` may take less time than later ones. Raises FetchError if the URL failed for good, and
        TransientError or Postponed if it may be requested again; Blocked, and Stopped.
        """
        response = self._fetch(url, self._pages, self._page_hosts, validators, first_try)
        self._visited = True
        self._check_x_robots_tag(response, PAGE_OPT_OUT_DIRECTIVES)
        return response

    def image(
        self,
        url: str,
        validators: Mapping[str, str],
        first_try: bool = False,
        referer: str | None = None,
    ) -> Response:
        """An image, and the page that shows it; returns and raises the same as `page`."""
        if referer is not None and not self._visited:
            self._visit(referer)
        transport = self._images.for_page(referer) if self._send_referer else self._images
        response = self._fetch(url, transport, self._image_hosts, validators, first_try)
        self._check_x_robots_tag(response, OPT_OUT_DIRECTIVES)
        return response

    def _visit(self, page: str) -> None:
        """Fetch a page for its cookies if none was fetched yet: a resumed crawl may have read them all."""
        with self._visit_lock:
            if self._visited:
                return
            try:
                with suppress(FetchError, TransientError, Postponed):
                    self.page(page, {})
            finally:
                self._visited = True

    def check_meta(self, meta: Iterable[tuple[str, str]]) -> None:
        """Raise FetchError if a page's `<meta>` elements, by name and content, opt out of what we do."""
        if self.respect_x_robots_tag and (reason := disallowed_by_meta_robots(meta, PRODUCT)):
            raise FetchError(ImageStatus.REFUSED, reason)

    def pause(self, host: str) -> float:
        """Seconds for which a host, by its name with its port, is not to be contacted."""
        return self._hosts.get(host).limiter.waiting

    @property
    def rate_limiters(self) -> list[HostRateLimiter]:
        """One for each host contacted so far, or waited for."""
        limiters = [host.limiter for host in self._hosts.known()]
        return [limiter for limiter in limiters if limiter.counters.requests or limiter.waiting]

    def describe(self) -> str:
        """The rate of each host contacted so far."""
        return "; ".join(limiter.describe() for limiter in self.rate_limiters)

    def _check_x_robots_tag(self, response: Response, directives: Set[str]) -> None:
        tag = response.headers.get("x-robots-tag", "")
        if self.respect_x_robots_tag and (reason := disallowed_by_x_robots_tag(tag, PRODUCT, directives)):
            raise FetchError(ImageStatus.REFUSED, reason)

    def _fetch(
        self,
        url: str,
        transport: Transport,
        allowed: list[str],
        validators: Mapping[str, str],
        first_try: bool,
    ) -> Response:
        timeout, hop = self._limits.timeout_seconds, 0
        while hop <= MAX_REDIRECTS:
            host = self._hosts.allowed(host_of(url), allowed)
            leads_nowhere = hop > 0 and not host.has_served
            if leads_nowhere and host.limiter.waiting > _SHORT_SECONDS:
                raise no_connection()
            robots = host.robots(partial(self._load_robots, host, urljoin(url, "/robots.txt")))
            if reason := robots.disallowed_by(url):
                raise FetchError(ImageStatus.REFUSED, reason)
            try:
                response = host.request(url, transport, validators, timeout, first_try)
            except TooLarge as error:
                raise FetchError(ImageStatus.INVALID, error.reason) from error
            except Postponed as error:
                if leads_nowhere:
                    raise TransientError(error.reason) from error
                raise
            except Blocked as block:
                if hop > 0:
                    raise TransientError(block.reason) from block
                raise
            if not is_redirect(response):
                return _usable(response, conditional=bool(validators))
            timeout -= response.seconds
            if timeout <= 0:
                raise TransientError(TIMEOUT)
            hop += 1 + response.redirects
            following = target(response)
            if not following:
                text = f"HTTP {response.status} to nowhere"
                raise FetchError(ImageStatus.FAILED, Reason(ReasonKind.REDIRECT, text, response.status))
            url = following
        raise FetchError(ImageStatus.FAILED, _TOO_MANY_REDIRECTS)

    def _load_robots(self, host: Host, url: str) -> Robots:
        allowed, limits = [*self._page_hosts, *self._image_hosts], self._limits
        hop = 0
        while hop <= MAX_REDIRECTS:
            request = partial(host.request, url, self._robots, {}, limits.timeout_seconds)
            try:
                response = retry(request, limits.attempts, limits.longest_wait_seconds, self._stop)
            except (TransientError, Postponed, FetchError) as error:
                if error.reason.kind == ReasonKind.PRIVATE_ADDRESS:
                    raise
                return Robots.unreachable(error.reason.text)
            if not is_redirect(response):
                return Robots.from_response(response, self._respect_content_signal)
            hop += 1 + response.redirects
            url = target(response) or ""
            try:
                host = self._hosts.allowed(host_of(url), allowed)
            except FetchError:
                return Robots.unreachable(f"HTTP {response.status} to another host")
        return Robots.unreachable(_TOO_MANY_REDIRECTS.text)


def _usable(response: Response, conditional: bool) -> Response:
    if response.status == 200 or (response.status == 304 and conditional):
        return response
    status = _STATUSES.get(response.status, ImageStatus.FAILED)
    raise FetchError(status, Reason.of_status(response.status))
