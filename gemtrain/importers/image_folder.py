"""A folder with a folder of images for each class, optionally inside train and test folders."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from gemtrain.importers.source import Record, Source, split_of, tidy

SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")


def folder_source(root: Path, files: list[Path]) -> Source | None:
    """The images `…/<class>/<file>` among the files below `root`; None if there are none.

    A class folder may be inside a folder named like a split; then all must be, and others are skipped, as are
    images that are not in a class folder.
    """
    skipped: Counter[str] = Counter()
    found: list[tuple[Path, str, str | None]] = []
    for path in files:
        if path.suffix.lower() not in SUFFIXES:
            continue
        *above, variety = path.relative_to(root).parts[:-1] or ("",)
        if not variety or split_of(variety):
            skipped["not in a class folder"] += 1
            continue
        split = next((split for name in reversed(above) if (split := split_of(name))), None)
        found.append((path, tidy(variety), split))
    if any(split for *_, split in found):
        skipped["outside the split folders"] = sum(split is None for *_, split in found)
        found = [row for row in found if row[2]]
    if not found and not skipped:
        return None

    def records() -> Iterator[Record]:
        for path, variety, split in found:
            yield Record(tidy(path.relative_to(root).as_posix()), variety, split, path)

    return Source("image folder", [path for path, *_ in found], records, len(found), +skipped)
