"""How fast a crawler gets past nginx's limiter, how often it is refused, and whether anything is lost.

    python -m benchmarks.crawling.limiters [--seconds 300] [--parallel 2]

Each crawl runs through the fetcher, with four threads, against a server of its own. It implements
`limit_req rate=10r/s` exactly (ngx_http_limit_req_module.c: a leaky bucket in thousandths of requests and
whole milliseconds) and answers after 20 ms: with and without a burst and `nodelay`, refusing with status 503
(the default) or 429. The site file's rate is right, twice as high, or missing. A URL is lost when all of its
attempts failed. At 10 requests a second without burst, an answer that comes 2 ms early is refused, so that a
busy machine lowers the rates.
"""

import argparse
import asyncio
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import count, product
from multiprocessing.connection import Connection

from benchmarks._commands import table
from benchmarks._unique_jpegs import template, with_comment
from scraper.http.errors import Postponed, Stopped, TransientError
from scraper.http.fetcher import Fetcher
from scraper.http.limits import Limits

RATE = 10
LATENCY = 0.02
THREADS = 4

#: `burst` and `nodelay`.
BURSTS = ((0, True), (5, False), (5, True))

STATUSES = (503, 429)

#: The rates of the site file, by name.
KNOWN = {"right": 10.0, "wrong": 20.0, "unknown": None}

#: Requests before this time belong to the search, seconds.
_SEARCH_SECONDS = 60.0


@dataclass
class LimitRequests:
    """`limit_req_zone … rate=…r/s` and `limit_req … burst=… [nodelay]` for one client."""

    rate: int
    burst: int
    nodelay: bool
    excess: int = 0
    last: int | None = None
    refused: int = 0

    def check(self, milliseconds: int) -> float | None:
        """The seconds by which a request that arrives now is delayed; None if it is refused."""
        if self.last is None:
            self.last = milliseconds
            return 0.0
        elapsed = max(milliseconds - self.last, 0)
        excess = max(self.excess - self.rate * elapsed + 1000, 0)
        if excess > self.burst * 1000:
            self.refused += 1
            return None
        self.excess, self.last = excess, milliseconds
        return 0.0 if self.nodelay else excess / self.rate / 1000


@contextmanager
def serve(limit: LimitRequests, status: int) -> Iterator[tuple[str, Callable[[], int]]]:
    """Serve images on loopback, in a separate process, until the block ends.

    Yields host and port, and a function that counts the refusals.
    """
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_run, args=(there, limit, status), daemon=True)
    process.start()
    there.close()
    try:
        yield f"127.0.0.1:{here.recv()}", partial(_ask, here)
    finally:
        here.close()
        process.join()


def _ask(server: Connection) -> int:
    server.send("refused?")
    return int(server.recv())


def _run(parent: Connection, limit: LimitRequests, status: int) -> None:
    asyncio.run(_serve(parent, limit, status))


async def _serve(parent: Connection, limit: LimitRequests, status: int) -> None:
    image, refusal = template(32), f"HTTP/1.1 {status} Refused\r\nContent-Length: 0\r\n\r\n".encode()

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await _head(reader):
            delay = limit.check(int(time.monotonic() * 1000))
            await asyncio.sleep(LATENCY + (delay or 0.0))
            path = head.split(b" ", 2)[1].decode()
            writer.write(refusal if delay is None else _answer(path, image))
        writer.close()

    server = await asyncio.start_server(respond, "127.0.0.1", 0)
    threading.Thread(target=_answer_until_closed, args=[parent, limit], daemon=True).start()
    parent.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


def _answer(path: str, image: bytes) -> bytes:
    kind, body = ("text/plain", b"") if path == "/robots.txt" else ("image/jpeg", with_comment(image, path))
    return f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def _answer_until_closed(parent: Connection, limit: LimitRequests) -> None:
    with suppress(EOFError):
        while parent.recv():
            parent.send(limit.refused)
    os._exit(0)


@dataclass
class Crawl:
    """One crawl's fetched URLs (when, in seconds from its start), and its counts."""

    fetched: list[float]
    requests: int
    lost: int


def crawl(host: str, rate: float | None, seconds: float) -> Crawl:
    """Fetch images for so long."""
    stop, numbers = threading.Event(), count()
    limits = Limits(requests_per_second=rate, max_requests_per_second=100, concurrency=THREADS)
    fetcher = Fetcher([host], [host], limits, "bench@example.com", stop, {}, {})
    start, fetched, lost = time.monotonic(), list[float](), list[int]()

    def work(_: int) -> None:
        while time.monotonic() < start + seconds:
            number, failures = next(numbers), 0
            while failures < limits.attempts:
                try:
                    fetcher.image(f"http://{host}/{number}.jpg", {})
                except Postponed:
                    continue
                except TransientError:
                    failures += 1
                except Stopped:
                    return
                else:
                    fetched.append(time.monotonic() - start)
                    break
            else:
                lost.append(number)

    timer = threading.Timer(seconds, stop.set)
    timer.start()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(THREADS)))
    timer.cancel()
    (limiter,) = fetcher.rate_limiters
    return Crawl(fetched, limiter.counters.requests, len(lost))


def measure(setting: tuple[int, bool, int, str], seconds: float) -> list[str]:
    """The row of one crawl."""
    burst, nodelay, status, known = setting
    with serve(LimitRequests(RATE, burst, nodelay), status) as (host, refused):
        result = crawl(host, KNOWN[known], seconds)
        share = refused() / result.requests
    late = sum(at >= _SEARCH_SECONDS for at in result.fetched) / (seconds - _SEARCH_SECONDS)
    return [
        f"burst={burst}{' nodelay' if nodelay and burst else ''}, {status}, rate {known}",
        str(result.requests),
        f"{share:.2%}",
        f"{late / RATE:.1%}",
        str(result.lost),
    ]


def main() -> None:
    """Run the crawls and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=300, help="of each crawl, more than 60")
    parser.add_argument("--parallel", type=int, default=2, help="crawls at the same time")
    arguments = parser.parse_args()
    settings = [(*burst, *rest) for burst, *rest in product(BURSTS, STATUSES, KNOWN)]
    with ProcessPoolExecutor(arguments.parallel, multiprocessing.get_context("spawn")) as pool:
        rows = list(pool.map(partial(measure, seconds=arguments.seconds), settings))
    print(table(["nginx, 10 requests/s", "requests", "refused", "used after 60 s", "lost"], rows))


if __name__ == "__main__":
    main()
