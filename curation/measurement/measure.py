"""The stage `measure`: everything that the cleaning rules need to know about an image, once per image."""

import functools
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from curation.features.graph_file import graph_file
from curation.measurement.params import MeasureParams
from curation.tables import FEATURE_LENGTH, FEATURES, MEASURED
from gemkit.arrays import Bytes
from gemkit.errors import UserError
from gemkit.executor.base import GivenUp, Limits
from gemkit.executor.local import map_items
from gemkit.memo import Memo
from gemkit.progress import Progress
from gemkit.project import Project
from gemkit.tables import read_table, write_stream
from scraper.tables import IMAGES

if TYPE_CHECKING:
    from curation.measurement.pixel_statistics import PixelMeasurements

#: Raise it when a measurement changes or a column is renamed: every image is then measured again.
VERSION = 10

#: Columns that are in hexadecimal in the memo, which is JSON.
_BINARY_COLUMNS = [field.name for field in MEASURED if pa.types.is_fixed_size_binary(field.type)]

#: Rows written at a time, so that the table of a million images need not fit in memory.
_ROWS = 10_000

#: A row of MEASURED by column, without `sha256`.
Row = dict[str, Any]


class Measured(NamedTuple):
    """All that is stored of an image; `features` are the bytes of its vector, None if it is undecodable."""

    row: Row
    features: bytes | None


class StoredImage(NamedTuple):
    """An image file of data/raw; its name is its SHA-256."""

    sha256: str
    path: Path


@dataclass(frozen=True)
class MeasureSummary:
    """Numbers of images: all of the site, measured in this run, undecodable, and given up in this run.

    `formats`: decodable images by format.
    """

    site: str
    images: int
    measured_now: int
    undecodable: int
    given_up: int
    formats: dict[str, int]


def measure(
    project: Project, site: str, settings: MeasureParams = MeasureParams(), limits: Limits = Limits()
) -> MeasureSummary:
    """Measure the stored images of a site into data/measured/<site>.parquet and data/features/<site>.parquet.

    Returns a summary. An image that crashes its worker or exceeds the limits gets that as its error; the next
    run tries it again. Raises UserError when the raw table, an image file or the weights are missing.
    """
    files = stored_images(project, site)
    given_up: dict[str, Row] = {}
    with Memo("measure", VERSION, settings.model_dump(), project.cache) as memo:
        missing = list(memo.missing(sorted(files)))
        images = (StoredImage(sha256, files[sha256]) for sha256 in missing)
        graph = graph_file(project.cache)
        measure_one = functools.partial(measure_image, settings=settings, graph=graph)
        with Progress(f"measure {site}", len(missing)) as progress:
            for finished in map_items(measure_one, images, limits):
                measured = []
                for image, result in finished:
                    if isinstance(result, GivenUp):
                        reason = f"measuring it {result.reason}"
                        given_up[image.sha256] = _unmeasured(result.kind, reason, image.path)
                    else:
                        measured.append((image.sha256, _to_json(result.row), result.features))
                memo.put(measured)
                progress.advance(len(finished))
        _write_measured(project.measured(site), sorted(files), memo, given_up)
        _write_features(project.features(site), sorted(files), memo, given_up)
    written = read_table(project.measured(site), MEASURED, ["error", "format"])
    return MeasureSummary(
        site=site,
        images=len(written),
        measured_now=len(missing) - len(given_up),
        undecodable=len(written) - written["error"].null_count - len(given_up),
        given_up=len(given_up),
        formats=dict(sorted(Counter(written["format"].drop_null().to_pylist()).items())),
    )


def stored_images(project: Project, site: str) -> dict[str, Path]:
    """The distinct stored images of a site: sha256 → file. Raises UserError when it was not crawled."""
    folder = project.raw(site)
    if not (folder / "images.parquet").exists():
        raise UserError(f"'{folder}/images.parquet' does not exist; run 'gemscrape crawl --site {site}'.")
    table = read_table(folder / "images.parquet", IMAGES, ["sha256", "path"])
    rows = zip(table["sha256"].to_pylist(), table["path"].to_pylist(), strict=True)
    return {sha256: folder / path for sha256, path in rows if sha256 and path}


def _write_measured(path: Path, images: Sequence[str], memo: Memo, given_up: Mapping[str, Row]) -> None:
    rows = (
        {"sha256": sha256, **(given_up.get(sha256) or _from_json(memo.get(sha256).record))}
        for sha256 in images
    )
    pieces = iter(lambda: list(islice(rows, _ROWS)), [])
    write_stream(path, MEASURED, (pa.Table.from_pylist(piece, MEASURED) for piece in pieces))


def _write_features(path: Path, images: Sequence[str], memo: Memo, given_up: Collection[str]) -> None:
    pieces = (images[start : start + _ROWS] for start in range(0, len(images), _ROWS))
    tables = (
        _feature_table(piece, [None if sha256 in given_up else memo.get(sha256).pixels for sha256 in piece])
        for piece in pieces
    )
    write_stream(path, FEATURES, tables)


def _feature_table(images: Sequence[str], vectors: Sequence[bytes | None]) -> pa.Table:
    import numpy as np

    content = b"".join(vector or bytes(2 * FEATURE_LENGTH) for vector in vectors)
    values = pa.array(np.frombuffer(content, np.float16))
    is_null = pa.array([vector is None for vector in vectors])
    lists = pa.FixedSizeListArray.from_arrays(values, FEATURE_LENGTH, mask=is_null)
    return pa.Table.from_arrays([pa.array(images, pa.string()), lists], schema=FEATURES)


def _to_json(row: Row) -> Row:
    return row | {name: row[name].hex() for name in _BINARY_COLUMNS if row.get(name)}


def _from_json(record: Row) -> Row:
    return record | {name: bytes.fromhex(record[name]) for name in _BINARY_COLUMNS if record.get(name)}


def measure_image(image: StoredImage, settings: MeasureParams, graph: Path) -> Measured:
    """The measurements of an image; only the error and the file's size if it cannot be decoded.

    `graph`: the network of the features. Pure. Raises UserError when the file is missing.
    """
    from curation.features.extractor import extract
    from curation.measurement.pixel_statistics import measure_pixels
    from gemkit.image_codec import ImageError, decode

    try:
        content = image.path.read_bytes()
    except FileNotFoundError:
        raise UserError(
            f"Image '{image.path}' is missing; run 'dvc checkout' or crawl its site again."
        ) from None
    try:
        decoded = decode(content)
    except ImageError as error:
        return Measured(_unmeasured(error.kind, str(error), image.path), None)
    measured = measure_pixels(decoded.pixels)
    row = {
        "error_kind": None,
        "error": None,
        "format": decoded.format,
        "mode": decoded.mode,
        "bytes": len(content),
        **measured.columns(),
        **_text(decoded.pixels, measured, settings),
    }
    return Measured(row, extract(decoded.pixels, graph).tobytes())


def _text(pixels: Bytes, measured: "PixelMeasurements", settings: MeasureParams) -> Row:
    """The columns about text, which is searched only in images with dense strokes."""
    from curation.measurement.ocr import Text, find_text

    is_suspect = measured.stroke_density >= settings.stroke_density
    text = find_text(pixels, settings.text_side) if is_suspect else Text(0, 0.0, [])
    over = [line for line in text.lines if line.is_over(measured.stone.stone_box)]
    return {
        "text_boxes": text.boxes,
        "text_area": text.area,
        "text": "\n".join(line.text for line in text.lines) or None,
        "text_over_stone": sum(line.letters for line in over),
    }


def _unmeasured(kind: str, error: str, path: Path) -> Row:
    return {"error_kind": kind, "error": error, "format": None, "bytes": path.stat().st_size}
