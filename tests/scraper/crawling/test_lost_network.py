"""The network goes, for a while or for good, or the machine sleeps: no URL pays for it."""

import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from benchmarks.crawling._broken_shop import BrokenShop, Served, serve
from tests.helpers.broken_crawls import crawl, stored
from tests.helpers.commands import started
from tests.helpers.project import empty_project

UNITS = 24

#: Slow enough that the network goes in the middle, willing to wait only for seconds.
LIMITS = "requests_per_second = 40\ntimeout_seconds = 1\nattempts = 2\nlongest_wait_seconds = {}"


def when(ready: Callable[[], bool], act: Callable[[], None]) -> threading.Thread:
    """Act as soon as something is ready, in a thread that the caller joins."""

    def wait() -> None:
        deadline = time.monotonic() + 60
        while not ready() and time.monotonic() < deadline:
            time.sleep(0.01)
        act()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


def one_sentence(errors: str) -> str:
    """The error that a crawl ended with."""
    lines = [line for line in errors.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1 and "Traceback" not in errors, errors
    return lines[0]


def test_an_outage_is_waited_for(tmp_path: Path) -> None:
    with serve(BrokenShop(UNITS)) as served:

        def outage() -> None:
            served.cdn.go_down()
            time.sleep(3)
            served.cdn.come_back()

        thread = when(lambda: len(served.cdn.log) > UNITS // 2, outage)
        crawl(tmp_path, served, limits=LIMITS.format(60), expect=0)
        thread.join()
        assert stored(tmp_path) == set(served.shop.images)


def test_a_network_that_is_gone_ends_the_crawl(tmp_path: Path, short_pauses: None) -> None:
    with serve(BrokenShop(UNITS)) as served:
        thread = when(lambda: len(served.cdn.log) > UNITS // 2, served.cdn.go_down)
        done = crawl(tmp_path, served, limits=LIMITS.format(2), expect=3)
        thread.join()
        assert served.cdn.name in one_sentence(done.stderr)
        before = stored(tmp_path)
        assert before
        served.cdn.come_back()
        asked = len(served.cdn.log)
        resume_now(tmp_path, served)
        assert stored(tmp_path) == set(served.shop.images)
        again = {request.path for request in served.cdn.log[asked:]}
        assert not again & before, "what is stored has no validator: it is not requested"


def resume_now(folder: Path, served: Served) -> None:
    """Crawl on, as if the end of the block had come that the state remembers."""
    with pytest.MonkeyPatch.context() as patch:
        now = time.time
        patch.setattr(time, "time", lambda: now() + 86400)
        crawl(folder, served, limits=LIMITS.format(2), expect=0)


@pytest.mark.slow
def test_names_that_do_not_resolve_for_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resolve, outage = socket.getaddrinfo, [float("inf"), float("inf")]

    def unreliable(host: Any, *arguments: Any, **options: Any) -> Any:
        if host not in ("cdn.test", b"cdn.test"):
            return resolve(host, *arguments, **options)
        if outage[0] <= time.monotonic() < outage[1]:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return resolve("127.0.0.1", *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", unreliable)
    with named(BrokenShop(UNITS)) as served:

        def lose_names() -> None:
            outage[:] = [time.monotonic(), time.monotonic() + 3]
            served.cdn.go_down()  # a connection that is open needs no name
            served.cdn.come_back()

        thread = when(lambda: len(served.cdn.log) > UNITS // 2, lose_names)
        crawl(tmp_path, served, limits=LIMITS.format(60), expect=0)
        thread.join()
        assert stored(tmp_path) == set(served.shop.images)


@contextmanager
def named(shop: BrokenShop) -> Iterator[Served]:
    """Serve a shop whose images are on cdn.test."""
    with serve(shop) as served:
        shop.cdns = [f"cdn.test:{served.cdn.server_address[1]}"]
        yield served


def test_names_that_never_resolve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short_pauses: None
) -> None:
    resolve = socket.getaddrinfo

    def offline(host: Any, *arguments: Any, **options: Any) -> Any:
        if host in ("cdn.test", b"cdn.test"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve(host, *arguments, **options)

    with named(BrokenShop(8)) as served:
        with monkeypatch.context() as patch:
            patch.setattr(socket, "getaddrinfo", offline)
            done = crawl(tmp_path, served, limits=LIMITS.format(2), expect=None)
        assert done.returncode in (3, 4)
        one_sentence(done.stderr)
        assert "cdn.test" in done.stdout + done.stderr and "no connection" in done.stdout + done.stderr
        monkeypatch.setattr(
            socket, "getaddrinfo", lambda host, *rest, **options: resolve("127.0.0.1", *rest, **options)
        )
        resume_now(tmp_path, served)
        assert stored(tmp_path) == set(served.shop.images)


def test_a_proxy_that_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short_pauses: None
) -> None:
    with serve(BrokenShop(8)) as served:
        with monkeypatch.context() as patch:
            patch.setenv("http_proxy", "http://127.0.0.1:1")
            patch.delenv("no_proxy", raising=False)
            patch.delenv("NO_PROXY", raising=False)
            done = crawl(tmp_path, served, limits=LIMITS.format(2), expect=None)
        assert done.returncode in (2, 3, 4)
        one_sentence(done.stderr)
        assert not served.cdn.log
        resume_now(tmp_path, served)
        assert stored(tmp_path) == set(served.shop.images)


@pytest.mark.slow
def test_a_machine_that_slept(tmp_path: Path) -> None:
    with serve(BrokenShop(UNITS)) as served:
        content = served.cdn.answer
        served.cdn.answer = lambda path: [0.2, *content(path)]
        empty_project(tmp_path)
        site = served.site(tmp_path, "links", LIMITS.format(5))
        with started("gemscrape", "crawl", "--site", site, cwd=tmp_path) as process:
            when(lambda: len(served.cdn.log) > UNITS // 2, lambda: process.send_signal(signal.SIGSTOP)).join()
            time.sleep(0.5)
            served.cdn.go_down()  # connections in flight die meanwhile
            served.cdn.come_back()
            time.sleep(2)
            process.send_signal(signal.SIGCONT)
            _, errors = process.communicate(timeout=60)
            assert process.returncode == 0, errors
        assert stored(tmp_path) == set(served.shop.images)
