"""The runs of a crawl: an interrupted one is continued, a finished one is followed by a new one."""

import time

from scraper.storage.schema import Database

#: What a run read of the pages is used for so long, seconds: a nightly crawl reads them each time.
_FRESH_SECONDS = 20 * 3600.0


class RunTable:
    """Runs by id; `current` is the one that this crawl begins or continues."""

    def __init__(self, database: Database):
        self._database = database
        with database.named_errors():
            self.current = self._unfinished() or self._begin()

    def finish(self) -> None:
        """The run is complete; the next crawl is a new one."""
        self._database.write("UPDATE runs SET finished = ? WHERE id = ?", [time.time(), self.current])

    def note_pages_read(self) -> None:
        """All pages have been read, now unless it was noted before."""
        self._database.write(
            "UPDATE runs SET pages_read = ? WHERE id = ? AND pages_read IS NULL", [time.time(), self.current]
        )

    def pages_are_old(self) -> bool:
        """Whether all pages were read so long ago that the store may list something else by now."""
        query = "SELECT 1 FROM runs WHERE id = ? AND pages_read < ?"
        oldest = time.time() - _FRESH_SECONDS
        return self._database.execute(query, [self.current, oldest]).fetchone() is not None

    def forget_pages_read(self) -> None:
        """The pages are to be read again; call it within a transaction."""
        self._database.execute("UPDATE runs SET pages_read = NULL WHERE id = ?", [self.current])

    def _unfinished(self) -> int | None:
        row = self._database.execute("SELECT id FROM runs WHERE finished IS NULL").fetchone()
        return int(row[0]) if row else None

    def _begin(self) -> int:
        query = "INSERT INTO runs (started) VALUES (?)"
        return int(self._database.execute(query, [time.time()]).lastrowid or 0)
