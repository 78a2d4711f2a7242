"""A folder with a folder of images for each class, with or without train and test folders above those."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from gemtrain.importers.source import Record, Source, side_of, tidy

SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")


def folder_source(root: Path, files: list[Path]) -> Source | None:
    """The images `…/<class>/<file>` among the files below `root`; None where there are none.

    A class folder may lie in one named like a side; then all must, and others are passed over, as images
    in no class folder are.
    """
    passed_over: Counter[str] = Counter()
    found: list[tuple[Path, str, str | None]] = []
    for path in files:
        if path.suffix.lower() not in SUFFIXES:
            continue
        *above, variety = path.relative_to(root).parts[:-1] or ("",)
        if not variety or side_of(variety):
            passed_over["in no class folder"] += 1
            continue
        side = next((side for name in reversed(above) if (side := side_of(name))), None)
        found.append((path, tidy(variety), side))
    if any(side for *_, side in found):
        passed_over["beside the folders of the sides"] = sum(side is None for *_, side in found)
        found = [row for row in found if row[2]]
    if not found and not passed_over:
        return None

    def records() -> Iterator[Record]:
        for path, variety, side in found:
            yield Record(tidy(path.relative_to(root).as_posix()), variety, side, path)

    return Source("image folder", [path for path, *_ in found], records, len(found), +passed_over)
