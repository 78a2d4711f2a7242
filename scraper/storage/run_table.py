"""The runs of a crawl: an interrupted one is continued, a finished one is followed by a new one."""

import time

from scraper.storage.schema import Database


class RunTable:
    """Runs by id; `current` is the one that this crawl begins or continues."""

    def __init__(self, database: Database):
        self._database = database
        with database.named_errors():
            self.current = self._unfinished() or self._begin()

    def finish(self) -> None:
        """The run is complete; the next crawl is a new one."""
        self._database.write("UPDATE runs SET finished = ? WHERE id = ?", [time.time(), self.current])

    def _unfinished(self) -> int | None:
        row = self._database.execute("SELECT id FROM runs WHERE finished IS NULL").fetchone()
        return int(row[0]) if row else None

    def _begin(self) -> int:
        query = "INSERT INTO runs (started) VALUES (?)"
        return int(self._database.execute(query, [time.time()]).lastrowid or 0)
