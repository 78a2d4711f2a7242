"""One process at a time works on a site."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gemkit.errors import UserError

#: `gemscrape status` holds the lock for a moment when it looks at it.
_ATTEMPTS = 5


@contextmanager
def lock_site(name: str, folder: Path) -> Iterator[None]:
    """Keep other processes from working on the site. Raises UserError if one does already."""
    path = folder / f"{name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        for _ in range(_ATTEMPTS):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.1)
        else:
            raise UserError(
                f"'{name}' is being crawled already ('{path}' is locked); wait for that crawl to end."
            )
        yield
