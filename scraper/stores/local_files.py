"""The files of a folder or a zip: listed and read, but never followed out of it, and never waited for."""

import lzma
import os
import stat
import zipfile
import zlib
from collections.abc import Iterator
from enum import Enum
from pathlib import Path, PurePosixPath
from typing import NamedTuple, Protocol

from scraper.http.errors import FetchError
from scraper.http.reason import Reason
from scraper.tables import ImageStatus, ReasonKind

#: What keeps a zip's members from being read, with the reason for people.
_FAULTS: dict[type[Exception], str] = {
    NotImplementedError: "packed in a way that is not known",
    RuntimeError: "locked with a password",
    zipfile.BadZipFile: "damaged in the zip",
    zlib.error: "damaged in the zip",
    lzma.LZMAError: "damaged in the zip",
    EOFError: "cut off in the zip",
    ValueError: "damaged in the zip",
}
_ZIP_ERRORS: tuple[type[Exception], ...] = (OSError, *_FAULTS)


class Kind(Enum):
    """What an entry is; `FILE` also a link to a file, or to nothing."""

    FILE = "file"
    FOLDER = "folder"
    LINKED_FOLDER = "linked folder"
    LINKED_OUTSIDE = "linked folder outside"
    SPECIAL = "special"
    UNLISTED = "unlisted"


class Entry(NamedTuple):
    """An entry of a folder or zip, by its path inside it."""

    name: str
    kind: Kind


class LocalFiles(Protocol):
    """The files of a folder or a zip."""

    def entries(self) -> Iterator[Entry]:
        """All entries, in any order; folders that cannot be listed are UNLISTED."""

    def version(self, name: str) -> tuple[str, int]:
        """A tag that changes when the file does, and the file's size in bytes. Raises FetchError."""

    def read(self, name: str, most: int) -> bytes:
        """The first bytes of a file, at most so many. Raises FetchError."""


class FolderFiles:
    """The files of a folder and its subfolders."""

    def __init__(self, path: Path):
        self._path = path

    def entries(self) -> Iterator[Entry]:
        """See LocalFiles."""
        left = [""]
        while left:
            folder = left.pop()
            try:
                found = list(os.scandir(self._path / folder))
            except OSError:
                yield Entry(folder, Kind.UNLISTED)
                continue
            for entry in found:
                name = f"{folder}/{entry.name}" if folder else entry.name
                kind = _kind(entry)
                if kind is Kind.LINKED_FOLDER and not self._contains(name):
                    kind = Kind.LINKED_OUTSIDE
                yield Entry(name, kind)
                if kind is Kind.FOLDER:
                    left.append(name)

    def version(self, name: str) -> tuple[str, int]:
        """See LocalFiles."""
        path = self._path / name
        try:
            if not self._contains(name):
                raise _outside("folder")
            status = path.stat()
        except (OSError, RuntimeError):  # a loop of links is a RuntimeError
            if path.is_symlink():
                raise _unreadable("a link that leads nowhere") from None
            raise FetchError(ImageStatus.GONE, Reason(ReasonKind.FILE_GONE, "no longer there")) from None
        if not stat.S_ISREG(status.st_mode):
            raise _unreadable("not a regular file")
        return f'"{status.st_size}-{status.st_mtime_ns}"', status.st_size

    def _contains(self, name: str) -> bool:
        """Whether an entry is in the folder, where its links lead."""
        return (self._path / name).resolve().is_relative_to(self._path.resolve())

    def read(self, name: str, most: int) -> bytes:
        """See LocalFiles."""
        try:
            # Another process may put a pipe in the file's place, which would block.
            descriptor = os.open(self._path / name, os.O_RDONLY | os.O_NONBLOCK)
            with os.fdopen(descriptor, "rb") as file:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise _unreadable("not a regular file")
                return file.read(most)
        except OSError as error:
            raise _unreadable(f"cannot be read: {error.strerror or type(error).__name__}") from None


class ZipFiles:
    """The members of a zip, which is not unpacked. Raises OSError and zipfile.BadZipFile."""

    def __init__(self, path: Path):
        self._zip = zipfile.ZipFile(path)
        self._members = {_without_start(info.filename): info for info in self._zip.infolist()}

    def entries(self) -> Iterator[Entry]:
        """See LocalFiles."""
        for name, info in self._members.items():
            if stat.S_ISLNK(info.external_attr >> 16):
                yield Entry(name, Kind.SPECIAL)
            else:
                yield Entry(name.rstrip("/"), Kind.FOLDER if info.is_dir() else Kind.FILE)

    def version(self, name: str) -> tuple[str, int]:
        """See LocalFiles."""
        parts = PurePosixPath(name.replace("\\", "/")).parts
        if ".." in parts or parts[0][1:] == ":":  # of a drive
            raise _outside("archive")
        info = self._members.get(name)
        if info is None:
            raise FetchError(ImageStatus.GONE, Reason(ReasonKind.FILE_GONE, "no longer there"))
        return f'"{info.file_size}-{info.CRC:08x}"', info.file_size

    def read(self, name: str, most: int) -> bytes:
        """See LocalFiles."""
        try:
            with self._zip.open(self._members[name]) as file:
                return file.read(most)
        except _ZIP_ERRORS as error:
            faults = (text for kind, text in _FAULTS.items() if isinstance(error, kind))
            raise _unreadable(next(faults, "cannot be read")) from None


def _without_start(name: str) -> str:
    """A member's name without a leading `/` or `./`, which some programs write."""
    while (rest := name.removeprefix("./").lstrip("/\\")) != name:
        name = rest
    return name


def _kind(entry: os.DirEntry[str]) -> Kind:
    try:
        if entry.is_dir(follow_symlinks=False):
            return Kind.FOLDER
        if entry.is_dir():
            return Kind.LINKED_FOLDER
        if entry.is_file() or (entry.is_symlink() and not Path(entry.path).exists()):
            return Kind.FILE
    except OSError:  # links that lead in a circle
        return Kind.FILE
    return Kind.SPECIAL


def _unreadable(text: str) -> FetchError:
    return FetchError(ImageStatus.FAILED, Reason(ReasonKind.FILE_UNREADABLE, text))


def _outside(container: str) -> FetchError:
    reason = Reason(ReasonKind.FILE_OUTSIDE, f"its path leads out of the {container}")
    return FetchError(ImageStatus.REFUSED, reason)
