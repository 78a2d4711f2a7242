"""Profile gemscrape: `python _profile.py crawl …` writes the CPU seconds of each part to `profile.json`.

CPU time counts for the innermost part that a thread is in; `rest` is the remainder of the process's CPU time
since the start of the crawl. Time spent waiting, for a disk or another thread, is not included.
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
    "politeness (robots.txt, rate limit, retries)": "scraper.http.fetcher:Fetcher.image",
    "network (HTTP client)": "scraper.http.transport:ImageTransport.get",
    "decode check": "scraper.storage.image_store:check_image",
    "hash and name": "scraper.storage.image_store:ImageStore.add",
    "file (write, fsync, rename)": "scraper.storage.image_store:ImageStore._write",
    "SQLite": "scraper.storage.image_table:ImageTable.mark_fetched",
}

_local = threading.local()
_seconds = dict.fromkeys(PARTS, 0.0)
_lock = threading.Lock()


def _timed(part: str, function: Callable[..., Any]) -> Callable[..., Any]:
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


def _time_all() -> None:
    for part, target in PARTS.items():
        module, _, path = target.partition(":")
        *owners, name = path.split(".")
        owner = importlib.import_module(module)
        for inner in owners:
            owner = getattr(owner, inner)
        setattr(owner, name, _timed(part, getattr(owner, name)))


if __name__ == "__main__":
    _time_all()
    start = time.process_time()
    try:
        main()
    finally:
        rest = time.process_time() - start - sum(_seconds.values())
        Path("profile.json").write_text(json.dumps({**_seconds, "rest": rest}))
