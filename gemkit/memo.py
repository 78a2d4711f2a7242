"""Persistent cache of the results of pure, expensive functions of an image."""

import contextlib
import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple


class Entry(NamedTuple):
    """A stored result: its JSON, and its binary part if it has one."""

    record: dict[str, Any]
    pixels: bytes | None


class Memo:
    """Map from an image to an Entry in one SQLite file.

    Every `put` is one transaction, so a killed process loses no stored result. `name` identifies the
    function, `version` its implementation, `settings` the parameters that its result depends on. When any of
    them changes, the old results are no longer used. `folder` is that of the file.
    """

    def __init__(self, name: str, version: int, settings: Any, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        self._salt = json.dumps([name, version, settings], sort_keys=True)
        self._database = sqlite3.connect(folder / f"{name}.sqlite", timeout=60)
        # SQLite does not wait for another process that is creating the file. That process sets the same mode.
        with contextlib.suppress(sqlite3.OperationalError):
            self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=NORMAL")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS memo (key BLOB PRIMARY KEY, record TEXT, pixels BLOB)"
        )

    def key(self, sha256: str) -> bytes:
        """The key of an image under this function, version and settings."""
        return hashlib.sha256(f"{self._salt}{sha256}".encode()).digest()

    def __contains__(self, sha256: str) -> bool:
        query = "SELECT 1 FROM memo WHERE key = ?"
        return self._database.execute(query, [self.key(sha256)]).fetchone() is not None

    def get(self, sha256: str) -> Entry:
        """The result of an image. Raises KeyError."""
        query = "SELECT record, pixels FROM memo WHERE key = ?"
        row = self._database.execute(query, [self.key(sha256)]).fetchone()
        if row is None:
            raise KeyError(sha256)
        return Entry(json.loads(row[0]), row[1])

    def missing(self, images: Iterable[str]) -> Iterator[str]:
        """The images that have no result yet."""
        return (sha256 for sha256 in images if sha256 not in self)

    def put(self, results: Iterable[tuple[str, dict[str, Any], bytes | None]]) -> None:
        """Store the results of one shard in one transaction."""
        with self._database:
            self._database.executemany(
                "INSERT OR REPLACE INTO memo VALUES (?, ?, ?)",
                [(self.key(sha256), json.dumps(record), pixels) for sha256, record, pixels in results],
            )

    def __enter__(self) -> "Memo":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()
