"""The hosts of a site: the rates found by probing, and the blocks to wait for."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from scraper.http.rate_limiter import HostHistory
from scraper.http.reason import Reason
from scraper.storage.schema import Database, read_only

#: How long a rate found by probing stays valid, seconds.
_RATE_SECONDS = 30 * 86400.0

#: Of each host one image that is stored.
_STORED_IMAGES = """
SELECT substr(rest, 1, instr(rest || '/', '/') - 1) AS host, min(image_url) FROM (
    SELECT image_url, substr(image_url, instr(image_url, '://') + 3) AS rest FROM images
    WHERE sha256 IS NOT NULL
) GROUP BY host
"""


class HostTable:
    """Hosts by name (with their port); all crawls of a site share them."""

    def __init__(self, database: Database):
        self._database = database

    def histories(self) -> dict[str, HostHistory]:
        """Each host as earlier crawls knew it; a rate expires after 30 days."""
        return _read_histories(self._database.connection)

    def save_block(self, host: str, until: float, reason: Reason) -> None:
        """A host is not to be contacted until then."""
        self._database.write(
            "INSERT INTO hosts (host, blocked_until, reason, reason_kind) VALUES (?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET blocked_until = excluded.blocked_until, reason = excluded.reason, "
            "reason_kind = excluded.reason_kind WHERE excluded.blocked_until > coalesce(blocked_until, 0)",
            [host, until, reason.text, reason.kind],
        )

    def save_rate(self, host: str, rate: float, converged: bool) -> None:
        """The rate found for a host so far; `converged`: it is the highest that the host allows."""
        self._database.write(
            "INSERT INTO hosts (host, rate, converged, searched) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE "
            "SET rate = excluded.rate, converged = excluded.converged, searched = excluded.searched",
            [host, rate, converged, time.time()],
        )


def load_host_histories(path: Path) -> dict[str, HostHistory]:
    """`HostTable.histories` of a file that another process may be using; empty if there is no file."""
    if not path.exists():
        return {}
    try:
        with closing(read_only(path)) as connection:
            return _read_histories(connection)
    except sqlite3.DatabaseError:
        return {}


def _read_histories(connection: sqlite3.Connection) -> dict[str, HostHistory]:
    now = time.time()
    images: dict[str, str] = dict(connection.execute(_STORED_IMAGES).fetchall())
    histories = {host: HostHistory(image_url=url) for host, url in images.items()}
    for host, rate, converged, searched, blocked_until in connection.execute(
        "SELECT host, rate, converged, searched, blocked_until FROM hosts"
    ):
        fresh = searched is not None and now - searched < _RATE_SECONDS
        blocked = blocked_until if (blocked_until or 0.0) > now else None
        histories[host] = HostHistory(
            rate if fresh else None, fresh and bool(converged), blocked, images.get(host)
        )
    return histories
