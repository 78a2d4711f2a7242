"""The stage `measure`: everything that later rules want to know of an image, measured once in its life."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from curation.params import read_measure
from curation.tables import MEASURED
from gemkit.errors import UserError
from gemkit.memo import Memo
from gemkit.parallel import map_shards
from gemkit.progress import Progress
from gemkit.tables import read_table, write_table
from scraper.tables import IMAGES

#: Raise it when a measurement changes: every image is then measured again.
VERSION = 1
SHARD = 16
RAW = Path("data/raw")
MEASURED_FOLDER = Path("data/measured")
_HEX_COLUMNS = ("phash", "phash256")


class Shard(NamedTuple):
    """Images for one worker: (sha256, path of the file)."""

    images: list[tuple[str, str]]
    text_side: int


def measure(site: str, params_path: Path) -> dict[str, Any]:
    """Measure the stored images of a site into data/measured/<site>.parquet; returns a summary.

    Raises UserError when the raw table or an image file is missing.
    """
    settings = read_measure(params_path)
    files = stored_images(site)
    with Memo("measure", VERSION, settings.model_dump()) as memo:
        missing = list(memo.missing(sorted(files)))
        with Progress(f"measure {site}", len(missing)) as progress:
            for results in map_shards(measure_shard, _shards(missing, files, settings.text_side)):
                memo.put((sha256, record, None) for sha256, record in results)
                progress.advance(len(results))
        rows = [{"sha256": sha256, **memo.get(sha256)[0]} for sha256 in sorted(files)]
    for row in rows:
        for column in _HEX_COLUMNS:
            row[column] = bytes.fromhex(row[column]) if row.get(column) else None
    write_table(MEASURED_FOLDER / f"{site}.parquet", pa.Table.from_pylist(rows, MEASURED))
    return {
        "site": site,
        "images": len(rows),
        "measured now": len(missing),
        "undecodable": sum(row["error"] is not None for row in rows),
        "formats": dict(sorted(Counter(row["format"] for row in rows if row["format"]).items())),
    }


def stored_images(site: str) -> dict[str, Path]:
    """The distinct stored images of a site: sha256 → file."""
    folder = RAW / site
    if not (folder / "images.parquet").exists():
        raise UserError(f"'{folder}/images.parquet' does not exist; run 'gemscrape crawl --site {site}'.")
    table = read_table(folder / "images.parquet", IMAGES, ["sha256", "path"])
    rows = zip(table["sha256"].to_pylist(), table["path"].to_pylist(), strict=True)
    return {sha256: folder / path for sha256, path in rows if sha256 and path}


def measure_shard(shard: Shard) -> list[tuple[str, dict[str, Any]]]:
    """(sha256, record) of each image of the shard. Pure; one thread."""
    import cv2

    cv2.setNumThreads(1)
    return [(sha256, measure_file(Path(path), shard.text_side)) for sha256, path in shard.images]


def measure_file(path: Path, text_side: int) -> dict[str, Any]:
    """The columns of MEASURED but `sha256`; `error` and the file's size alone where it cannot be decoded."""
    from curation.images import ImageError, decode
    from curation.measurements import measure_pixels
    from curation.text import text_boxes

    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"Image '{path}' is missing; run 'dvc checkout' or crawl its site again.") from None
    try:
        image = decode(content)
    except ImageError as error:
        return {"error": str(error), "format": None, "bytes": len(content)}
    boxes, area = text_boxes(image.pixels, text_side)
    return {
        "error": None,
        "format": image.format,
        "mode": image.mode,
        "bytes": len(content),
        **measure_pixels(image.pixels),
        "text_boxes": boxes,
        "text_area": area,
    }


def _shards(missing: list[str], files: dict[str, Path], text_side: int) -> Iterator[Shard]:
    for start in range(0, len(missing), SHARD):
        part = missing[start : start + SHARD]
        yield Shard([(sha256, str(files[sha256])) for sha256 in part], text_side)
