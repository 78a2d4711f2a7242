"""The stage measures each image once, and a bad image does not affect others."""

from pathlib import Path

import pyarrow as pa
import pytest

from curation.measurement.measure import measure
from curation.measurement.params import MeasureParams
from curation.tables import FEATURE_LENGTH, FEATURES, MEASURED
from gemkit.errors import UserError
from gemkit.executor.base import Limits
from gemkit.project import Project
from gemkit.tables import read_table, write_table
from scraper.tables import IMAGES
from tests.helpers.commands import called
from tests.helpers.dangerous import measure_or_crash
from tests.helpers.encoded_images import encoded, half_red


def store_images(raw: Path, contents: list[bytes]) -> None:
    """Write a site's raw table with one image per content."""
    rows = []
    for number, content in enumerate(contents):
        (raw / "images").mkdir(parents=True, exist_ok=True)
        (raw / f"images/{number}.png").write_bytes(content)
        rows.append({"site": raw.name, "sha256": f"{number}" * 64, "path": f"images/{number}.png"})
    rows += [rows[0], {"site": raw.name, "sha256": None, "path": None}]
    write_table(raw / "images.parquet", pa.Table.from_pylist(rows, IMAGES))


@pytest.mark.heavy
def test_an_image_is_measured_once(home: Project) -> None:
    raw, table = home.raw("shop"), home.measured("shop")
    store_images(raw, [encoded(half_red(120 + side, 100)) for side in range(3)] + [b"no image"])
    assert measure(home, "shop").measured_now == 4
    first = table.read_bytes(), home.features("shop").read_bytes()
    assert measure(home, "shop").measured_now == 0
    assert (table.read_bytes(), home.features("shop").read_bytes()) == first
    rows = read_table(table, MEASURED).to_pylist()
    assert [row["width"] for row in rows] == [120, 121, 122, None]
    assert [row["error_kind"] for row in rows] == [None, None, None, "unknown_format"]
    assert [bool(row["error"]) for row in rows] == [False, False, False, True]
    assert len(rows[0]["thumbnail"]) == 16 * 16 * 3
    features = read_table(home.features("shop"), FEATURES).to_pylist()
    assert [row["sha256"] for row in features] == [row["sha256"] for row in rows]
    assert [len(row["features"] or ()) for row in features] == [FEATURE_LENGTH] * 3 + [0]
    assert measure(home, "shop", limits=Limits(seconds=30)).measured_now == 0, "limits change no result"

    (raw / "images/1.png").unlink()
    with pytest.raises(UserError, match=r"images/1\.png"):
        measure(home, "shop", MeasureParams(text_side=160))


@pytest.mark.heavy
def test_an_image_that_crashes_its_worker_does_not_affect_others(
    home: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = [encoded(half_red(120 + side, 100)) for side in range(6)]
    contents[3] += b"crash"
    store_images(home.raw("shop"), contents)
    table = home.measured("shop")
    with monkeypatch.context() as context:
        context.setattr("curation.measurement.measure.measure_image", measure_or_crash)
        summary = measure(home, "shop")
    rows = read_table(table, MEASURED).to_pylist()
    assert [row["width"] for row in rows] == [120, 121, 122, None, 124, 125]
    assert (rows[3]["error_kind"], rows[3]["error"]) == ("crashed", "measuring it crashed (SIGSEGV)")
    assert rows[3]["bytes"] == len(contents[3])
    assert (summary.measured_now, summary.given_up) == (5, 1)
    assert read_table(home.features("shop"), FEATURES)["features"].is_null().to_pylist() == [
        *[False] * 3, True, *[False] * 2
    ]  # fmt: skip

    # It is in the table, but the next run tries it again.
    summary = measure(home, "shop")
    assert (summary.measured_now, summary.given_up) == (1, 0)
    assert [row["width"] for row in read_table(table, MEASURED).to_pylist()] == list(range(120, 126))


def test_a_site_that_was_not_crawled(workspace: Path) -> None:
    said = called("gemcurate", "measure", "--site", "nowhere", cwd=workspace, expect=2).stderr
    assert "gemscrape crawl --site nowhere" in said
