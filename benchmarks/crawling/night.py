"""A night's crawl of a shop with everything that happens in one: what is lost?

    python -m benchmarks.crawling.night [--images 2000] [--rate 50] [--allowed 40] [--outage 20] [--seed 1]

Pages and images are limited as nginx does it, with a lower rate than the site file says and status 503. One
answer in twenty is broken, but not the next one to the same URL. In the middle all hosts restart. Of the two
hosts of images one goes down for good.
"""

import argparse
import random
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks._commands import GEMSCRAPE, output_tail, running, table
from benchmarks.crawling._broken_shop import BrokenShop, Served, serve, stored_images
from benchmarks.crawling._faulty_host import CUT, RESET, Answer, Host, LimitReq, http

_LONGEST_SECONDS = 3600.0


@dataclass(frozen=True)
class Night:
    """What happens: requests a second by the site file and allowed, the share of broken answers, seconds."""

    rate: float
    allowed: float
    broken: float = 0.05
    outage: float = 20.0
    seed: int = 1


def trouble(host: Host, night: Night) -> None:
    """Limit a host, and break some of its answers: each URL at most once."""
    rng, whole, limit = random.Random(night.seed), host.answer, LimitReq(night.allowed)
    hit: set[str] = set()

    def answer(path: str) -> Answer:
        if limit.refuses():
            return [http(status=503)]
        if path in hit or path == "/robots.txt" or rng.random() >= night.broken:
            return whole(path)
        hit.add(path)
        return rng.choice([[http(status=500)], [RESET], [http(bytes(900))[:-300], CUT]])

    host.answer = answer


def restart(hosts: list[Host], seconds: float) -> None:
    """All of them refuse connections for so long."""
    for host in hosts:
        host.go_down()
    time.sleep(seconds)
    for host in hosts:
        host.come_back()


def happen(served: Served, night: Night, over: threading.Event) -> None:
    """The events of the night, at shares of the images; ends early once the night is `over`."""
    first, second = served.cdns
    share = len(served.shop.images) // len(served.cdns)

    def reached(host: Host, part: float) -> bool:
        while not over.is_set():
            if sum(request.status == 200 for request in host.log) >= part * share:
                return True
            time.sleep(0.02)
        return False

    if reached(second, 0.4):
        restart([served.pages, first, second], night.outage)
    if reached(second, 0.7):
        second.go_down()


def through_the_night(served: Served, night: Night, run: Callable[[], int]) -> int:
    """Run a crawl while the night happens; returns its exit code."""
    for host in (served.pages, *served.cdns):
        trouble(host, night)
    over = threading.Event()
    events = threading.Thread(target=happen, args=(served, night, over), daemon=True)
    events.start()
    try:
        return run()
    finally:
        over.set()
        events.join()


def lost(served: Served, stored: set[str]) -> tuple[set[str], set[str]]:
    """The images that are not stored: those of hosts that are up, and those of the one that is down."""
    missing = set(served.shop.images) - stored
    down = {path for path in missing if served.cdns[1].name in served.shop.url(path)}
    return missing - down, down


def main() -> None:
    """Crawl through the night and print what was lost."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--rate", type=float, default=50, help="requests a second, in the site file")
    parser.add_argument("--allowed", type=float, default=40, help="requests a second that the hosts allow")
    parser.add_argument("--outage", type=float, default=20, help="seconds of the restart")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    night = Night(options.rate, options.allowed, outage=options.outage, seed=options.seed)
    with tempfile.TemporaryDirectory() as name, serve(BrokenShop(options.images), 2) as served:
        folder = Path(name)
        (folder / "params.yaml").write_text("sites: []\n", encoding="utf-8")
        site = served.site(
            folder, "html", f"requests_per_second = {night.rate}\ntimeout_seconds = 2\nattempts = 3"
        )

        def run() -> int:
            with running([GEMSCRAPE, "crawl", "--site", site], folder) as process:
                try:
                    return process.wait(_LONGEST_SECONDS)
                except subprocess.TimeoutExpired:
                    return -1

        begin = time.monotonic()
        code = through_the_night(served, night, run)
        seconds = time.monotonic() - begin
        up, down = lost(served, stored_images(folder))
        print(output_tail(folder))
    rows = [
        [
            f"images of {host.name}",
            str(len(host.log)),
            f"{sum(request.status == 503 for request in host.log) / max(1, len(host.log)):.1%}",
            str(len(missing)),
        ]
        for host, missing in zip(served.cdns, (up, down), strict=True)
    ]
    print(f"{options.images} images, exit code {code}, {seconds:.0f} s")
    print(table(["host", "requests", "refused", "lost"], rows))


if __name__ == "__main__":
    main()
