"""Lists of links: CSV files, also gzipped, with a class and an image URL in each line."""

import csv
import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from gemkit.errors import UserError
from scraper.http.urls import url_key
from scraper.stores.config import LinkFile
from scraper.stores.records import Link, LinkList, tidy

#: Longer lines are cut into several: what is no text must not fill the memory.
_LONGEST_LINE = 1_000_000


def read_links(file: LinkFile) -> LinkList:
    """Read a list of links.

    Raises UserError for a file that can't be read to its end, lacks a column, or holds no usable link.
    """
    path = file.links
    keys: dict[str, tuple[str, str | None] | None] = {}
    links: list[Link] = []
    wrong: dict[str, list[int]] = {}
    with _named_errors(path), _open(path) as text:
        records = _records(text)
        names = [name.strip() for name in next(records, (0, []))[1]]
        class_at, image_at = (_place(path, names, name) for name in (file.class_column, file.image_column))
        for number, cells in records:
            trouble = _trouble(cells, len(names), class_at, image_at)
            if trouble is None:
                url = cells[image_at]
                if url not in keys:
                    keys[url] = _identify(url, file)
                if image := keys[url]:
                    links.append(Link(tidy(cells[class_at]), *image))
                    continue
                trouble = "whose URL is no http or https address"
            wrong.setdefault(trouble, []).append(number)
    notes = [
        f"'{path}': lines left out {trouble}: {len(numbers)}, the first is line {numbers[0]}"
        for trouble, numbers in wrong.items()
    ]
    if not links:
        raise UserError(f"'{path}' holds no usable link" + "".join(f"; {note}" for note in notes) + ".")
    return LinkList(links, notes)


def _place(path: Path, names: list[str], name: str) -> int:
    if name not in names:
        found = ", ".join(ascii(other) for other in names) or "nothing"
        raise UserError(
            f"'{path}' has no column '{name}' in its first line (found {found:.200}); correct the line, or "
            "name the column in the site's file by 'class_column' or 'image_column'."
        )
    return names.index(name)


def _trouble(cells: list[str], width: int, class_at: int, image_at: int) -> str | None:
    if len(cells) <= max(class_at, image_at):
        return "with too few cells"
    if any(cells[width:]):
        return "with too many cells"
    name, url = cells[class_at], cells[image_at]
    if not tidy(name):
        return "without a class"
    if not url.strip():
        return "without an image URL"
    return None if _is_text(name) and _is_text(url) else "not in UTF-8"


def _is_text(cell: str) -> bool:
    try:
        cell.encode()
    except UnicodeEncodeError:
        return False
    return True


def _identify(url: str, file: LinkFile) -> tuple[str, str | None] | None:
    """Key and product id of an image's URL."""
    key = url_key(url, strip_query=file.strip_query)
    return (key, file.product.id.part(key) if file.product.id else None) if key else None


def _records(text: IO[str]) -> Iterator[tuple[int, list[str]]]:
    """Number of the first line and cells of each record that is not empty.

    Where quotes don't match, each line stands for itself, so that one quote too many swallows no others.
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
        yield from ((number + place, cells) for place, cells in enumerate(records) if any(cells))
        number += len(lines)
        lines.clear()


def _cells(line: str) -> list[str]:
    try:
        return next(csv.reader([line]), [])
    except csv.Error:  # a cell that is longer than any may be
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
        raise UserError(f"The list of links '{path}' does not exist.") from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UserError(f"'{path}' is damaged or cut off ({error}); get it again.") from error
    except OSError as error:
        raise UserError(f"The list of links '{path}' cannot be read: {error.strerror}.") from None
