"""The hosts that a crawl may contact."""

import threading
from collections.abc import Mapping

from scraper.http.errors import FetchError
from scraper.http.host import Host
from scraper.http.limits import Limits, host_matches
from scraper.http.rate_limiter import HostHistory
from scraper.http.reason import Reason
from scraper.http.sleep_watch import SleepWatch
from scraper.tables import ImageStatus, ReasonKind


class Hosts:
    """The hosts contacted so far, one object each; `histories` are those of earlier crawls."""

    def __init__(self, limits: Limits, histories: Mapping[str, HostHistory], stop: threading.Event):
        self._limits, self._histories = limits, histories
        self._stop, self._sleep = stop, SleepWatch(stop)
        self._hosts: dict[str, Host] = {}
        self._lock = threading.Lock()

    def known(self) -> list[Host]:
        """Those contacted so far."""
        with self._lock:
            return list(self._hosts.values())

    def allowed(self, name: str, patterns: list[str]) -> Host:
        """The host of that name. Raises FetchError if it must not be contacted."""
        if not host_matches(name, patterns):
            reason = Reason(ReasonKind.HOST_NOT_ALLOWED, f"host {name} is not allowed")
            raise FetchError(ImageStatus.REFUSED, reason)
        return self.get(name)

    def get(self, name: str) -> Host:
        """The host of that name, whether or not it may be contacted."""
        with self._lock:
            if name not in self._hosts:
                history = self._histories.get(name, HostHistory())
                self._hosts[name] = Host(name, self._limits, history, self._stop, self._sleep)
            return self._hosts[name]
