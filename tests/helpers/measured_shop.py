"""A store with synthetic tables, for the stages after `measure`."""

import hashlib
from typing import Any

import cv2
import numpy as np
import pyarrow as pa

from curation.cleaning.clean import CleanSummary, clean
from curation.cleaning.params import CleanParams
from curation.measurement.pixel_statistics import measure_pixels
from curation.tables import CLEAN, MEASURED
from gemkit.project import Project
from gemkit.tables import read_table, write_table
from scraper.tables import IMAGES
from tests.helpers.stone_images import stone_image

GOOD = {"error": None, "format": "JPEG", "mode": "RGB", "text_boxes": 1, "text_area": 0.5}


def faceted_stone(seed: int, side: int = 240) -> np.ndarray:
    """A stone with a colour and facets unique to the seed; the same image at every side length."""
    red, green, blue = np.random.default_rng(seed).integers(20, 200, 3).tolist()
    return cv2.resize(stone_image((red, green, blue), seed), (side, side), interpolation=cv2.INTER_AREA)


class Shop:
    """Raw and measured tables of synthetic sites in a project, by default in the current folder."""

    def __init__(self, project: Project = Project()) -> None:
        self.project = project
        self.raw: dict[str, list[dict[str, Any]]] = {}
        self.measured: dict[str, dict[str, dict[str, Any]]] = {}

    def add(
        self, pixels: np.ndarray | None, classes: list[str], products: list[str], site: str = "shop",
        key: str = "", name: str = "photo.jpg", **measured: Any,
    ) -> str:  # fmt: skip
        """List one image; returns its sha256. Equal pixels and `key` are the same file."""
        content = b"broken" if pixels is None else pixels.tobytes() + repr(pixels.shape).encode()
        sha256 = hashlib.sha256(content + key.encode()).hexdigest()
        rows = self.raw.setdefault(site, [])
        rows.append(
            {
                "site": site, "image_url": f"http://{site}/{len(rows)}/{name}", "sha256": sha256,
                "path": f"images/{sha256}.jpg", "status": "ok", "store_classes": classes,
                "product_ids": products, "page_urls": [], "file_name": name,
            }
        )  # fmt: skip
        if pixels is None:
            values: dict[str, Any] = {"error": "truncated", "bytes": len(content)}
        else:
            values = GOOD | measure_pixels(pixels).columns() | {"bytes": pixels.size}
        self.measured.setdefault(site, {})[sha256] = {"sha256": sha256} | values | measured
        return sha256

    def write(self) -> None:
        for site, rows in self.raw.items():
            write_table(self.project.raw(site) / "images.parquet", pa.Table.from_pylist(rows, IMAGES))
            measured = [self.measured[site][sha256] for sha256 in sorted(self.measured[site])]
            write_table(self.project.measured(site), pa.Table.from_pylist(measured, MEASURED))

    def run_stage(
        self, sites: list[str] | None = None, settings: CleanParams = CleanParams()
    ) -> CleanSummary:
        """Write the tables and clean the sites, by default all."""
        self.write()
        return clean(self.project, sites or list(self.raw), settings)

    def clean(
        self, sites: list[str] | None = None, settings: CleanParams = CleanParams()
    ) -> dict[str, dict[str, Any]]:
        """Run the stage; returns the rows by sha256, with the names of their rules as `rules`."""
        self.run_stage(sites, settings)
        rows = read_table(self.project.clean_table, CLEAN).to_pylist()
        assert [row["sha256"] for row in rows] == sorted(row["sha256"] for row in rows)
        return {row["sha256"]: row | {"rules": {r["rule"] for r in row["reasons"]}} for row in rows}
