"""Link lists: CSV files, optionally gzipped, with a class and an image URL on each line."""

import csv
import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from gemkit.errors import UserError
from scraper.http.urls import LONGEST_URL, url_key
from scraper.stores.config import LinkFile
from scraper.stores.records import Link, LinkList, tidy

#: Longer lines are cut into several, characters: bounds memory on binary input.
_LONGEST_LINE = 1_000_000


def read_links(file: LinkFile) -> LinkList:
    """Read a link list.

    Raises UserError for a file that cannot be read to its end, lacks a column, or contains no usable link.
    """
    path = file.links
    keys: dict[str, tuple[str, str | None] | None] = {}
    links: list[Link] = []
    skipped: dict[str, list[int]] = {}
    with _named_errors(path), _open(path) as text:
        records = _records(text)
        names = [name.strip() for name in next(records, (0, []))[1]]
        class_at, image_at = (_column(path, names, name) for name in (file.class_column, file.image_column))
        for number, cells in records:
            problem = _problem(cells, len(names), class_at, image_at)
            if problem is None:
                url = cells[image_at]
                if url not in keys:
                    keys[url] = _identify(url, file)
                if image := keys[url]:
                    links.append(Link(tidy(cells[class_at]), *image))
                    continue
                problem = "whose URL is not an http or https address"
            skipped.setdefault(problem, []).append(number)
    notes = [
        f"'{path}': lines skipped {problem}: {len(numbers)}, the first is line {numbers[0]}"
        for problem, numbers in skipped.items()
    ]
    if not links:
        raise UserError(f"'{path}' contains no usable link" + "".join(f"; {note}" for note in notes) + ".")
    return LinkList(links, notes)


def _column(path: Path, names: list[str], name: str) -> int:
    if name not in names:
        found = ", ".join(ascii(other) for other in names) or "nothing"
        raise UserError(
            f"'{path}' has no column '{name}' in its first line (found {found:.200}); correct the line, or "
            "set 'class_column' or 'image_column' in the site's file."
        )
    return names.index(name)


def _problem(cells: list[str], width: int, class_at: int, image_at: int) -> str | None:
    if len(cells) <= max(class_at, image_at):
        return "with too few cells"
    if any(cells[width:]):
        return "with too many cells"
    name, url = cells[class_at], cells[image_at]
    if not tidy(name):
        return "without a class"
    if not url.strip():
        return "without an image URL"
    if len(url) > LONGEST_URL:
        return f"whose URL is longer than {LONGEST_URL:,} characters"
    return None if _is_text(name) and _is_text(url) else "not in UTF-8"


def _is_text(cell: str) -> bool:
    try:
        cell.encode()
    except UnicodeEncodeError:
        return False
    return True


def _identify(url: str, file: LinkFile) -> tuple[str, str | None] | None:
    """Key and product id of an image's URL; None if it is not a web address."""
    key = url_key(url, strip_query=file.strip_query)
    return (key, file.product.id.part(key) if file.product.id else None) if key else None


def _records(text: IO[str]) -> Iterator[tuple[int, list[str]]]:
    """Number of the first line and cells of each record that is not empty.

    Where quotes do not match, each line is a record of its own, so that a stray quote swallows no others.
    """
    lines: list[str] = []

    def take() -> Iterator[str]:
        while line := text.readline(_LONGEST_LINE):
            lines.append(line)
            yield line

    reader = csv.reader(take(), strict=True)
    number = 1
    while True:
        try:
            records = [next(reader)]
        except StopIteration:
            return
        except csv.Error:
            records = [_cells(line) for line in lines]
        yield from ((number + offset, cells) for offset, cells in enumerate(records) if any(cells))
        number += len(lines)
        lines.clear()


def _cells(line: str) -> list[str]:
    try:
        return next(csv.reader([line]), [])
    except csv.Error:  # a cell that exceeds csv's field size limit
        return ["…"]


def _open(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", errors="surrogateescape", newline="")
    return path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")


@contextmanager
def _named_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise UserError(f"The link list '{path}' does not exist.") from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UserError(f"'{path}' is damaged or truncated ({error}); download it again.") from error
    except OSError as error:
        raise UserError(f"The link list '{path}' cannot be read: {error.strerror}.") from None
