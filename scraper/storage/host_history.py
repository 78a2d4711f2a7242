"""What earlier crawls of a site learnt about its hosts."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from scraper.http.rate_limiter import HostHistory
from scraper.storage.schema import read_only

#: How long a rate found by probing stays valid, seconds.
_RATE_SECONDS = 30 * 86400.0


def read_host_histories(connection: sqlite3.Connection) -> dict[str, HostHistory]:
    """What a crawl's database knows of each host; a rate found by probing expires after 30 days."""
    now = time.time()
    histories = {}
    for host, rate, converged, searched, blocked_until in connection.execute(
        "SELECT host, rate, settled, searched, blocked_until FROM hosts"
    ):
        fresh = searched is not None and now - searched < _RATE_SECONDS
        blocked = blocked_until if (blocked_until or 0.0) > now else None
        histories[host] = HostHistory(rate if fresh else None, fresh and bool(converged), blocked)
    return histories


def load_host_histories(path: Path) -> dict[str, HostHistory]:
    """`read_host_histories` of a file that another process may be using; empty if there is no file."""
    if not path.exists():
        return {}
    try:
        with closing(read_only(path)) as connection:
            return read_host_histories(connection)
    except sqlite3.DatabaseError:
        return {}
