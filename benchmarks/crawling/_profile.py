"""gemscrape with a clock on its parts: `python _profile.py crawl …` writes the CPU seconds of each to
`parts.json`.

Each second goes to the innermost part that a thread is in; `rest` is what is left of the process's CPU
time, from the start of the crawl on. Waiting, for a disk or another thread, is not in it.
"""

import importlib
import json
import threading
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from scraper.cli import main

PARTS = {
    "politeness (robots.txt, turn, retries)": "scraper.http.fetcher:Fetcher.image",
    "network (HTTP client)": "scraper.http.transport:ImageTransport.get",
    "decode check": "scraper.storage.image_store:check_image",
    "hash and name": "scraper.storage.image_store:ImageStore.add",
    "file (write, fsync, rename)": "scraper.storage.image_store:ImageStore._write",
    "SQLite": "scraper.storage.crawl_state:State.settle_image",
}

_local = threading.local()
_seconds = dict.fromkeys(PARTS, 0.0)
_lock = threading.Lock()


def _clocked(part: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        outer, begin = getattr(_local, "inner", 0.0), time.thread_time()
        _local.inner = 0.0
        try:
            return function(*arguments, **options)
        finally:
            spent = time.thread_time() - begin
            with _lock:
                _seconds[part] += spent - _local.inner
                _local.inner = outer + spent

    return call


def _clock_all() -> None:
    for part, place in PARTS.items():
        module, _, path = place.partition(":")
        *owners, name = path.split(".")
        owner = importlib.import_module(module)
        for inner in owners:
            owner = getattr(owner, inner)
        setattr(owner, name, _clocked(part, getattr(owner, name)))


if __name__ == "__main__":
    _clock_all()
    start = time.process_time()
    try:
        main()
    finally:
        rest = time.process_time() - start - sum(_seconds.values())
        Path("parts.json").write_text(json.dumps({**_seconds, "rest": rest}))
