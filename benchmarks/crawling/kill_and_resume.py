"""kill -9 at random moments of a crawl: the right files at the end, and hardly anything fetched again.

    python -m benchmarks.crawling.kill_and_resume [--kills 50] [--part 0.05] [--seed 1]

The moments are spread over all requests of the crawl, its pages and its images. Each time the whole process
group is killed, and the same command run again.
"""

import argparse
import hashlib
import random
import tempfile
import time
from bisect import bisect
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks._commands import GEMSCRAPE, finish, kill, replica_site, running
from benchmarks.crawling import _replica
from benchmarks.crawling._server import Request, Server, serve

CONCURRENCY = 8
_LONGEST_SECONDS = 600.0


def crawl_and_kill(
    server: Server, site: Path, folder: Path, moments: list[int], chance: random.Random
) -> list[float]:
    """Run the crawl, killed soon after each of the moments (numbers of requests); when the kills were."""
    command: list[str | Path] = [GEMSCRAPE, "crawl", "--site", site]
    kills = []
    deadline = time.monotonic() + _LONGEST_SECONDS
    for moment in moments:
        with running(command, folder) as process:
            while server.count() < moment and time.monotonic() < deadline:
                if process.poll() is not None:
                    finish(process, folder)
                time.sleep(0.002)
            time.sleep(chance.uniform(0, 0.02))
            kill(process)
            kills.append(time.monotonic())
    with running(command, folder) as process:
        finish(process, folder, _LONGEST_SECONDS)
    return kills


def repeated(log: list[Request], kills: list[float], kind: str) -> list[int]:
    """How many URLs of a kind were asked for again after each kill."""
    seen: set[str] = set()
    counts = [0] * (len(kills) + 1)
    for request in log:
        if request.kind == kind:
            counts[bisect(kills, request.at)] += request.path in seen
            seen.add(request.path)
    return counts


def check_files(folder: Path, shop: _replica.Replica) -> list[str]:
    """What is wrong with the files that the crawl left."""
    wanted = {hashlib.sha256(shop.photo(path)).hexdigest() for path in shop.images}
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".parquet"]
    half = [path for path in files if hashlib.sha256(path.read_bytes()).hexdigest() != path.stem]
    found = {path.stem for path in files}
    rows = pq.read_table(folder / "images.parquet", columns=["status"]).column("status").to_pylist()
    problems = {
        "half or left-over files": len(half),
        "missing files": len(wanted - found),
        "files too many": len(found - wanted),
        "rows of the table that are not ok": len(rows) - rows.count("ok"),
        "images without a row": len(shop.images) - len(rows),
    }
    return [f"{number} {problem}" for problem, number in problems.items() if number]


def main() -> None:
    """Crawl, kill, compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--part", type=float, default=0.05, help="share of the products")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if why := _replica.missing():
        print(why)
        return
    shop = _replica.Replica(options.part)
    chance = random.Random(options.seed)
    moments = sorted(chance.sample(range(1, shop.pages + len(shop.images)), options.kills))
    with tempfile.TemporaryDirectory() as name, serve(partial(_replica.Replica, options.part)) as server:
        folder = Path(name)
        site = replica_site(folder, server.host, requests_per_second=1_000_000, concurrency=CONCURRENCY)
        kills = crawl_and_kill(server, site, folder, moments, chance)
        problems = check_files(folder / "data/raw/replica", shop)
        log = server.requests()
    size = f"{shop.pages} pages and {len(shop.images)} images"
    print(f"{len(kills)} kills in a crawl of {size} (seed {options.seed})")
    print(f"files at the end: {'; '.join(problems) or 'exactly the right ones'}")
    for kind in ("page", "image"):
        again = repeated(log, kills, kind)
        print(
            f"{kind}s fetched again: {sum(again)} in all, at most {max(again)} after one kill "
            f"({CONCURRENCY} requests at a time)"
        )


if __name__ == "__main__":
    main()
