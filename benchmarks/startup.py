"""Measure the seconds until `--help` answers, best of five: the least that a user waits for.

python -m benchmarks.startup
"""

import subprocess
import time


def main() -> None:
    """Time each command, and an interpreter that does nothing for comparison."""
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
