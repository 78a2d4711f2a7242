"""File names are matched by whole words."""

import pytest

from curation.cleaning.rules.file_name import words_of
from tests.helpers.synthetic_measurements import findings, synthetic_images


@pytest.mark.parametrize(
    "name",
    [
        "certi12345.jpg", "certificate-77.jpg", "GP123-certi-4.jpg", "hand10.jpg", "hand-gp4-1.jpg",
        "gp4_Hand_2.JPG", "sizeChart.png", "size-chart-ring.png", "banner_2024.webp", "placeholder.jpg",
        "no-image.gif", "noImage.gif", "ruby-watermark.jpg", "LabReport.jpg",
    ],
)  # fmt: skip
def test_a_file_name_that_names_other_content_is_dropped(name: str) -> None:
    assert findings("file_name", synthetic_images({}, file_names=[["gp1-1.jpg", name]])) == [(0, None, None)]


@pytest.mark.parametrize(
    "name",
    [
        "product-ruby-1.jpg", "handmade-ruby.jpg", "handpicked.jpg", "perfect.jpg", "collection-2.jpg",
        "gp12-1-010122.jpg", "exact-colour.jpg", "certified-ruby.jpg", "thailand.jpg", "", ".jpg",
        "2.30ct.jpg", "urbanner.jpg",
    ],
)  # fmt: skip
def test_other_file_names_are_kept(name: str) -> None:
    assert findings("file_name", synthetic_images({}, file_names=[[name]])) == []


def test_the_words_of_a_file_name() -> None:
    assert words_of("GP12-sizeChart_EU.final.jpg") == "gp size chart eu final"
