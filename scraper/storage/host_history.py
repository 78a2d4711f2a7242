"""What earlier crawls of a site found out about its hosts."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from scraper.http.rate_limiter import HostMemory
from scraper.storage.schema import read_only

#: How long a rate that was found is used, seconds.
_RATE_SECONDS = 30 * 86400.0


def read_memories(database: sqlite3.Connection) -> dict[str, HostMemory]:
    """What a crawl's database knows of each host; a rate that was found is old after a month."""
    now = time.time()
    memories = {}
    for host, rate, settled, searched, blocked_until in database.execute(
        "SELECT host, rate, settled, searched, blocked_until FROM hosts"
    ):
        fresh = searched is not None and now - searched < _RATE_SECONDS
        blocked = blocked_until if (blocked_until or 0.0) > now else None
        memories[host] = HostMemory(rate if fresh else None, fresh and bool(settled), blocked)
    return memories


def remembered_hosts(path: Path) -> dict[str, HostMemory]:
    """`read_memories` of a file that somebody else may be using; empty when there is none."""
    if not path.exists():
        return {}
    try:
        with closing(read_only(path)) as database:
            return read_memories(database)
    except sqlite3.DatabaseError:
        return {}
