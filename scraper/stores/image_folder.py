"""Images on this machine: a folder or a zip with one folder per class, read like a store."""

import zipfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote

from gemkit.errors import UserError
from gemkit.image_formats import SUFFIXES
from gemkit.text import printable
from scraper.http.errors import FetchError, TooLarge
from scraper.http.rate_limiter import HostRateLimiter
from scraper.http.reason import Reason
from scraper.http.transport import Response
from scraper.stores.local_files import Entry, FolderFiles, Kind, LocalFiles, ZipFiles
from scraper.stores.records import Link, LinkList, tidy
from scraper.tables import ImageStatus, ReasonKind

_SCHEME = "file:"

#: Suffixes of images in formats that are not read: of phones, cameras, and programs.
_OTHER_IMAGES = {
    *(".heic", ".heif", ".hif", ".jxl", ".jp2", ".jxr", ".svg", ".psd", ".ico", ".tga", ".eps"),
    *(".raw", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf", ".pef", ".srw", ".x3f"),
}

#: Folders whose content is unknown.
_UNLISTED = {
    Kind.UNLISTED: Reason(ReasonKind.FILE_UNREADABLE, "cannot be listed"),
    Kind.LINKED_OUTSIDE: Reason(ReasonKind.FILE_OUTSIDE, "a link that leads out of the folder"),
}

#: So many names are printed of the files that were skipped for one reason.
_NAMES = 5


class _Skipped(Enum):
    """Why an entry is skipped, as text for one and for several."""

    SUFFIX = "file without an image suffix", "files without an image suffix"
    FORMAT = "image in a format that is not read", "images in formats that are not read"
    CLASS = "file outside a class folder", "files outside a class folder"
    FOLDER = "folder named like an image", "folders named like images"
    LINK = "link to a folder", "links to folders"
    OUTSIDE = "link to a folder outside", "links to folders outside"
    SPECIAL = "link, pipe, socket or device", "links, pipes, sockets or devices"

    def note(self, names: list[str]) -> str:
        """The names in one line."""
        one, several = self.value
        shown = ", ".join(printable(name) for name in sorted(names)[:_NAMES])
        more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
        return f"{len(names)} {one if len(names) == 1 else several} skipped: {shown}{more}"


class Folder:
    """The images `…/<class>/<file>` in a folder or zip; nothing there is changed or unpacked.

    Their URLs are `file:` and the path inside it. Raises UserError if it is neither a folder nor a zip.
    """

    rate_limiters: tuple[HostRateLimiter, ...] = ()

    def __init__(self, path: Path, max_bytes: int):
        self.path, self._max_bytes = path, max_bytes
        self._files = _files(path)

    def describe(self) -> str:
        """Empty: there is no rate limit here."""
        return ""

    def links(self) -> LinkList:
        """All images; the class of each is the name of its folder. Raises UserError if there are none."""
        links, skipped = [], defaultdict[_Skipped, list[str]](list)
        for name, kind in sorted(self._visible(), key=lambda entry: entry.name):
            path = PurePosixPath(name.replace("\\", "/"))
            if (why := _why_skipped(path, kind)) is not None:
                skipped[why].append(name)
            elif kind is Kind.FILE:
                links.append(Link(tidy(path.parts[-2]), _SCHEME + quote(name, errors="surrogateescape")))
        notes = [why.note(skipped[why]) for why in _Skipped if why in skipped]
        if not links:
            raise UserError(
                f"'{self.path}' contains no image in a class folder; it needs files such as 'ruby/1.jpg'"
                + (f" ({'; '.join(notes)})." if notes else ".")
            )
        return LinkList(links, notes)

    def unlisted(self) -> Iterator[tuple[str, Reason]]:
        """Names of the folders whose content is unknown, and why: it cannot be listed, or is elsewhere."""
        for name, kind in sorted(self._visible(), key=lambda entry: entry.name):
            if kind in _UNLISTED:
                yield name, _UNLISTED[kind]

    def pause(self, host: str) -> float:
        """A folder is always ready."""
        return 0.0

    def image(
        self,
        url: str,
        validators: Mapping[str, str],
        first_try: bool = False,
        referer: str | None = None,
    ) -> Response:
        """An image's bytes as a response: 200, or 304 if it has not changed. Raises FetchError."""
        name = file_name(url)
        tag, size = self._files.version(name)
        if validators.get("If-None-Match") == tag:
            return Response(url, 304, {"etag": tag})
        content = b"" if size > self._max_bytes else self._files.read(name, self._max_bytes + 1)
        if max(size, len(content)) > self._max_bytes:  # a zip's size may be false
            raise FetchError(ImageStatus.INVALID, TooLarge(self._max_bytes).reason)
        return Response(url, 200, {"etag": tag}, content)

    def _visible(self) -> list[Entry]:
        return [entry for entry in self._files.entries() if not _is_hidden(entry.name)]


def file_name(url: str) -> str:
    """The path of an image inside its folder or zip, by its URL."""
    return unquote(url.removeprefix(_SCHEME), errors="surrogateescape")


def _files(path: Path) -> LocalFiles:
    if path.is_dir():
        return FolderFiles(path)
    if not path.is_file():  # opening a pipe would block
        raise UserError(f"'{path}' is neither a folder nor a zip.")
    try:
        return ZipFiles(path)
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile) as error:
        raise UserError(f"'{path}' is neither a folder nor a readable zip ({error}).") from None


def _is_hidden(name: str) -> bool:
    parts = name.replace("\\", "/").split("/")
    return any((part.startswith(".") and part not in (".", "..")) or part == "__MACOSX" for part in parts)


def _why_skipped(path: PurePosixPath, kind: Kind) -> _Skipped | None:
    suffix = path.suffix.lower()
    if kind is not Kind.FILE:
        named = {
            Kind.LINKED_FOLDER: _Skipped.LINK,
            Kind.LINKED_OUTSIDE: _Skipped.OUTSIDE,
            Kind.SPECIAL: _Skipped.SPECIAL,
        }
        return _Skipped.FOLDER if kind is Kind.FOLDER and suffix in SUFFIXES else named.get(kind)
    if suffix in SUFFIXES:
        return _Skipped.CLASS if len(path.parts) < 2 else None
    return _Skipped.FORMAT if suffix in _OTHER_IMAGES else _Skipped.SUFFIX
