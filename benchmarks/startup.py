"""Seconds until `--help` answers, the best of five: what a person waits for at least.

python -m benchmarks.startup
"""

import subprocess
import time


def main() -> None:
    """Time each command beside an interpreter that does nothing."""
    for command in (
        ["python", "-c", ""],
        *([name, "--help"] for name in ("gemscrape", "gemcurate", "gemtrain")),
    ):
        seconds = []
        for _ in range(5):
            begin = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            seconds.append(time.perf_counter() - begin)
        print(f"{' '.join(command):20} {min(seconds):.2f} s")


if __name__ == "__main__":
    main()
