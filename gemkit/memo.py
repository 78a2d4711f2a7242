"""Results of pure, expensive functions of an image, kept in `.cache/` between runs."""

import contextlib
import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

CACHE = Path(".cache")


class Memo:
    """Key → (record, pixels) in one SQLite file; every `put` is one transaction, so a kill loses none.

    `name` names the function, `version` its implementation, `settings` the parameters its result depends on:
    a change of any leaves the old results unused.
    """

    def __init__(self, name: str, version: int, settings: Any = None, folder: Path = CACHE):
        folder.mkdir(parents=True, exist_ok=True)
        self._salt = json.dumps([name, version, settings], sort_keys=True)
        self._database = sqlite3.connect(folder / f"{name}.sqlite", timeout=60)
        # SQLite does not wait here for another process that creates the file, and sets the same.
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

    def get(self, sha256: str) -> tuple[dict[str, Any], bytes | None]:
        """The record of an image and its pixels, if it has any. Raises KeyError."""
        query = "SELECT record, pixels FROM memo WHERE key = ?"
        row = self._database.execute(query, [self.key(sha256)]).fetchone()
        if row is None:
            raise KeyError(sha256)
        return json.loads(row[0]), row[1]

    def missing(self, images: Iterable[str]) -> Iterator[str]:
        """Those of the images that have no result yet."""
        return (sha256 for sha256 in images if sha256 not in self)

    def put(self, results: Iterable[tuple[str, dict[str, Any], bytes | None]]) -> None:
        """Keep the results of one shard in one transaction."""
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
