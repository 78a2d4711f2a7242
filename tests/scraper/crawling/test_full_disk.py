"""A disk that is full wherever a crawl writes: one sentence, exit code 2, and the same command goes on."""

from pathlib import Path

import pytest

from tests.helpers.crawl_results import check_files, images, summary
from tests.helpers.crawl_shop import Shop
from tests.helpers.full_disk import mounts_allowed, on_a_full_disk
from tests.helpers.slow import others_slow

#: What is written where, and a disk on which that no longer fits. A file takes at least one page of 4 kB.
PLACES = {
    "an image": ("data/raw/shop", "size=20k"),
    "the tables": ("data/raw/shop", "size=52k"),
    "the state": (".cache/crawl", "size=40k"),
    "the heartbeat": (".cache/crawl", "nr_inodes=5"),
    "the report": ("reports/crawl", "nr_inodes=1"),
}


@pytest.mark.skipif(not mounts_allowed(), reason="no user namespaces with mounts")
@pytest.mark.parametrize("what", others_slow(PLACES, "the state"))
def test_a_full_disk(tmp_path: Path, what: str) -> None:
    place, size = PLACES[what]
    project = tmp_path / "project"
    project.mkdir()
    with Shop(products=6) as shop:
        site = shop.site(project)
        full, free, left = on_a_full_disk(project, place, size, "gemscrape", "crawl", "--site", site)
        assert full.code == 2, full.errors
        errors = [line for line in full.errors.splitlines() if "error" in line.lower()]
        assert len(errors) == 1 and "Traceback" not in full.errors, full.errors
        assert place in errors[0], "the sentence names the place"
        assert free.code == 0, free.errors
        # Only what was in flight when the disk was full is requested again.
        assert all(count <= 2 for path, count in shop.image_requests().items()), shop.counts
        assert {path for path, row in images(left).items() if row["path"]} == set(shop.images)
    assert summary(left)["ended"] == "finished"
    check_files(left)
