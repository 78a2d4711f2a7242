"""Images on this machine: a folder or a zip with one folder per class, read like a store."""

import lzma
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote

from gemkit.errors import UserError
from gemkit.image_formats import SUFFIXES
from scraper.http.errors import FetchError, TooLarge
from scraper.http.rate_limiter import HostRateLimiter
from scraper.http.reason import Reason
from scraper.http.transport import Response
from scraper.stores.records import Link, LinkList, tidy
from scraper.tables import ImageStatus, ReasonKind

_SCHEME = "file:"

_GONE = Reason(ReasonKind.FILE_GONE, "no longer there")
_UNREADABLE = Reason(ReasonKind.FILE_UNREADABLE, "cannot be read")


class Folder:
    """The images `…/<class>/<file>` in a folder or zip; nothing there is changed or unpacked.

    Their URLs are `file:` and the path inside it. Raises UserError if it is neither a folder nor a zip.
    """

    rate_limiters: tuple[HostRateLimiter, ...] = ()

    def __init__(self, path: Path, max_bytes: int):
        self.path, self._max_bytes = path, max_bytes
        self._zip: zipfile.ZipFile | None = None
        if path.is_dir():
            return
        try:
            self._zip = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile) as error:
            raise UserError(f"'{path}' is neither a folder nor a readable zip ({error}).") from None

    def describe(self) -> str:
        """Empty: there is no rate limit here."""
        return ""

    def links(self) -> LinkList:
        """All images; the class of each is the name of its folder. Raises UserError if there are none."""
        links, skipped = [], Counter[str]()
        for name in sorted(self._names()):
            path = PurePosixPath(name.replace("\\", "/"))
            if any(part.startswith(".") or part == "__MACOSX" for part in path.parts if part != ".."):
                continue
            if path.suffix.lower() not in SUFFIXES:
                skipped["without an image suffix"] += 1
            elif len(path.parts) < 2:
                skipped["outside a class folder"] += 1
            else:
                links.append(Link(tidy(path.parts[-2]), _SCHEME + quote(name, errors="surrogateescape")))
        if not links:
            raise UserError(
                f"'{self.path}' contains no image in a class folder; it needs files such as 'ruby/1.jpg'."
            )
        notes = [
            f"{count} {'file' if count == 1 else 'files'} {why} skipped"
            for why, count in sorted(skipped.items())
        ]
        return LinkList(links, notes)

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
        name = unquote(url.removeprefix(_SCHEME), errors="surrogateescape")
        tag, size = self._version(name)
        if validators.get("If-None-Match") == tag:
            return Response(url, 304, {"etag": tag})
        if size > self._max_bytes:
            raise FetchError(ImageStatus.INVALID, TooLarge(self._max_bytes).reason)
        return Response(url, 200, {"etag": tag}, self._read(name))

    def _names(self) -> Iterator[str]:
        if self._zip is not None:
            return (info.filename for info in self._zip.infolist() if not info.is_dir())
        files = (path for path in self.path.rglob("*") if path.is_file())
        return (path.relative_to(self.path).as_posix() for path in files)

    def _version(self, name: str) -> tuple[str, int]:
        """A tag that changes when the file does, and the file's size in bytes."""
        if self._zip is not None:
            parts = PurePosixPath(name.replace("\\", "/")).parts
            if name.startswith(("/", "\\")) or ".." in parts or ":" in parts[0]:
                raise _outside("archive")
            try:
                info = self._zip.getinfo(name)
            except KeyError:
                raise FetchError(ImageStatus.GONE, _GONE) from None
            return f'"{info.file_size}-{info.CRC:08x}"', info.file_size
        path = self.path / name
        try:
            if not path.resolve().is_relative_to(self.path.resolve()):
                raise _outside("folder")
            status = path.stat()
        except OSError:
            raise FetchError(ImageStatus.GONE, _GONE) from None
        return f'"{status.st_size}-{status.st_mtime_ns}"', status.st_size

    def _read(self, name: str) -> bytes:
        try:
            if self._zip is None:
                return (self.path / name).read_bytes()
            with self._zip.open(name) as file:
                content = file.read(self._max_bytes + 1)  # its declared size may be false
        except (
            OSError,
            RuntimeError,
            NotImplementedError,
            zipfile.BadZipFile,
            zlib.error,
            lzma.LZMAError,
            EOFError,
        ):
            raise FetchError(ImageStatus.FAILED, _UNREADABLE) from None
        if len(content) > self._max_bytes:
            raise FetchError(ImageStatus.INVALID, TooLarge(self._max_bytes).reason)
        return content


def _outside(container: str) -> FetchError:
    reason = Reason(ReasonKind.FILE_OUTSIDE, f"its path leads out of the {container}")
    return FetchError(ImageStatus.REFUSED, reason)
