"""How fast the demo store is crawled beside what it allows, and how often it had to turn the crawler away.

python -m benchmarks.crawling
"""

import json
import subprocess
import tempfile
from pathlib import Path


def main() -> None:
    """Crawl the whole store in a temporary folder and print each host's rate."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["gemscrape", "crawl", "--site", "demo"]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        summary = json.loads((Path(folder) / "metrics/crawl/demo.json").read_text())
    print(f"{'host':20} {'requests':>8} {'allowed/s':>9} {'held/s':>7} {'held':>6} {'429/403':>7}")
    for host, seen in summary["hosts"].items():
        share = seen["rate_held"] / seen["rate_allowed"]
        print(
            f"{host:20} {seen['requests']:8} {seen['rate_allowed']:9.1f} {seen['rate_held']:7.2f} "
            f"{share:6.1%} {seen['turned_away']:7}"
        )
    print(f"{summary['downloaded']} images in {summary['seconds']:.0f} s")


if __name__ == "__main__":
    main()
