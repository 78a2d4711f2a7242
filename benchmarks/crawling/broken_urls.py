"""How long do broken URLs hold up the good ones of their host?

    python -m benchmarks.crawling.broken_urls [--units 54] [--broken 14] [--level image] [--form links]
        [--way 500 --way "no answer"] [--position first] [--rate 50]

A shop on loopback serves images, of which some (or some product or category pages) are broken in one way. The
crawler is the command that users run. Each crawl is compared with one of the same shop without the faults.
"""

import argparse
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import NamedTuple, get_args

from benchmarks._commands import GEMSCRAPE, output_tail, running, table
from benchmarks.crawling._broken_shop import (
    WAYS,
    BrokenShop,
    Damage,
    Form,
    Level,
    Position,
    serve,
    stored_images,
)

_LONGEST_SECONDS = 900.0


class Crawl(NamedTuple):
    """A crawl of a shop; seconds count from the first request."""

    stored: int
    last_good: float
    seconds: float
    requests: int
    code: int | None
    output: str


def crawl(shop: BrokenShop, form: Form, rate: float) -> Crawl:
    """Crawl a shop with a known rate; `code` is None if it takes too long."""
    with tempfile.TemporaryDirectory() as name, serve(shop) as served:
        folder = Path(name)
        (folder / "params.yaml").write_text("sites: []\n", encoding="utf-8")
        site = served.site(folder, form, f"requests_per_second = {rate}\ntimeout_seconds = 2")
        with running([GEMSCRAPE, "crawl", "--site", site], folder) as process:
            deadline = time.monotonic() + _LONGEST_SECONDS
            while (code := process.poll()) is None and time.monotonic() < deadline:
                time.sleep(0.02)
            ended = time.monotonic()
        log = served.log()
        # Later requests of a good image only ask whether its host is still up.
        served_first = {request.path: request.at for request in reversed(log) if request.status == 200}
        last = max((at for path, at in served_first.items() if path in shop.good), default=float("nan"))
        first, stored = log[0].at, len(stored_images(folder) & shop.good)
        return Crawl(stored, last - first, ended - first, len(log), code, output_tail(folder))


@cache
def intact(units: int, level: Level, form: Form, rate: float) -> Crawl:
    """The crawl of the same shop without faults."""
    return crawl(BrokenShop(units, Damage(level=level)), form, rate)


def row(units: int, damage: Damage, form: Form, rate: float) -> tuple[list[str], str]:
    """The row of the table for one way, and the end of the crawl's output."""
    shop = BrokenShop(units, damage)
    found, without = crawl(shop, form, rate), intact(units, damage.level, form, rate)
    return [
        damage.way,
        damage.position,
        f"{found.stored}/{len(shop.good)}",
        f"{found.last_good:.1f}",
        f"{found.seconds:.1f}",
        f"{without.seconds:.1f}",
        f"{found.last_good / without.seconds:.2f}",
        f"{found.seconds / without.seconds:.2f}",
        str(found.requests),
        "too long" if found.code is None else str(found.code),
    ], found.output


def main() -> None:
    """Crawl a shop for each way and position, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--units", type=int, default=54, help="images, or pages of the level")
    parser.add_argument("--broken", type=int, default=14)
    parser.add_argument("--level", choices=get_args(Level), default="image", help="what is broken")
    parser.add_argument("--form", choices=get_args(Form), help="the kind of the site file")
    parser.add_argument("--way", choices=WAYS, action="append", help="how it is broken; repeat for several")
    parser.add_argument("--position", choices=get_args(Position), action="append", help="of the broken ones")
    parser.add_argument("--rate", type=float, default=50, help="requests a second, known to the crawler")
    parser.add_argument("--output", action="store_true", help="print the end of each crawl's output")
    options = parser.parse_args()
    form = options.form or ("links" if options.level == "image" else "html")
    rows = []
    for way in options.way or WAYS:
        for position in options.position or ["first"]:
            damage = Damage(way, options.broken, options.level, position)
            cells, output = row(options.units, damage, form, options.rate)
            rows.append(cells)
            print(f"{' '.join(cells)}\n{output if options.output else ''}", end="", flush=True)
    head = ["way", "broken", "stored", "last good s", "crawl s", "without s", "ratio", "crawl", "requests"]
    print(f"{options.broken} of {options.units} {options.level}s broken, {form} site")
    print(table([*head, "exit"], rows))


if __name__ == "__main__":
    main()
