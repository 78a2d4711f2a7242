"""The report is one self-contained page that agrees with the tables and escapes untrusted text."""

import csv
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from lxml import html
from PIL import Image

from curation.cleaning.decisions import COLUMNS
from curation.cleaning.params import CleanParams
from curation.cleaning.rule_set import rule_names
from curation.cropping.params import CropParams
from curation.datasets.balance import balance
from curation.datasets.params import BalanceParams, DatasetParams
from curation.datasets.split import split
from curation.imaging.centre_crop import stored_side
from curation.report import ReportSummary, report
from curation.tables import CLEAN, CROPS
from gemkit.errors import UserError
from gemkit.image_codec import ImageError, decode, encode_jpeg
from gemkit.project import Project
from gemkit.tables import read_table, write_table
from tests.helpers.browser import Visit
from tests.helpers.measured_shop import Shop, faceted_stone

SCRIPT = "<script>alert(1)</script>"
MARKUP = '"><img src=x onerror=alert(2)>'
SECTIONS = (
    "sources", "classes", "dropped", "duplicates", "labels", "groups", "crops", "split", "datasets",
    "orientations",
)  # fmt: skip
NO_IMAGE = b"no image at all"
#: The rules that apply to the images made here; the others are switched off.
RULES = {
    "exact_duplicate", "file_name", "label", "near_duplicate", "shape", "small", "undecodable",
}  # fmt: skip
CLEANING = CleanParams(
    merge=("sapphire", "blue_topaz"),
    rules={name: {} if name in RULES else False for name in rule_names()},
)
CROPPING = CropParams(size=64)
BALANCED = {"d1k": DatasetParams(target=60, minimum=20), "d2k": DatasetParams(target=100, minimum=20)}
DATASETS = BalanceParams(datasets={**BALANCED, "asis": DatasetParams(kind="plain")})


def stock(shop: Shop, pixels: np.ndarray | None, *listed: Any, **more: Any) -> str:
    """List an image and write its file."""
    sha256 = shop.add(pixels, *listed, **more)
    path = shop.project.raw("shop") / shop.raw["shop"][-1]["path"]
    path.parent.mkdir(parents=True, exist_ok=True)
    if pixels is not None:
        Image.fromarray(pixels).save(path)
    return sha256


class Cleaned(NamedTuple):
    """A project in which `clean` has run, and the sha256 of its images by content."""

    project: Project
    images: dict[str, str]

    def report(self, output: Path | None = None) -> ReportSummary:
        return report(self.project, ["shop"], CLEANING, CROPPING, DATASETS, output)

    def copied(self, folder: Path) -> "Cleaned":
        shutil.copytree(self.project.root, folder)
        return Cleaned(Project(folder), self.images)


@pytest.fixture(scope="module")
def cleaned(tmp_path_factory: pytest.TempPathFactory) -> Cleaned:
    project = Project(tmp_path_factory.mktemp("report"))
    shop, images = Shop(project), {}

    def add(what: str, *image: Any, **more: Any) -> None:
        images[what] = stock(shop, *image, **more)

    add("ruby", faceted_stone(1), ["Ruby"], ["a"])
    add("emerald", faceted_stone(2, 300), ["Emerald", "Colombian Emerald"], ["b"])
    add("copy", faceted_stone(2, 180), ["Panna"], ["c"])
    add("conflict", faceted_stone(3), ["Ruby", "Red Spinel"], ["d"])
    add("long", faceted_stone(4), ["Ruby"], ["e"], width=1200)
    add("small", faceted_stone(5, 60), ["Ruby"], ["f"])
    add("broken", None, ["Ruby"], ["g"])
    add("script", faceted_stone(6), [SCRIPT], ["h"])
    add("markup", faceted_stone(7), ["Ruby", MARKUP], ["i"], name=f"certificate {MARKUP}.jpg")
    add("gone", faceted_stone(8), ["Ruby"], ["j"], name="hand.jpg")
    add("spoilt", faceted_stone(9), ["Amethyst"], ["k"], name="hand.jpg")
    add("by hand", faceted_stone(10), ["Ruby"], ["l"])
    shop.raw["shop"].append(
        {**shop.raw["shop"][0], "sha256": None, "path": None, "status": "failed", "reason": SCRIPT}
    )
    project.image(f"shop/images/{images['gone']}.jpg").unlink()
    project.image(f"shop/images/{images['spoilt']}.jpg").write_bytes(NO_IMAGE)
    project.labels.mkdir()
    with (project.labels / "decisions.csv").open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, [images["by hand"], "drop", "", f"looks odd {SCRIPT}"]])
    shop.clean(settings=CLEANING)
    return Cleaned(project, images)


@pytest.fixture(scope="module")
def page_of_cleaned(cleaned: Cleaned) -> Path:
    summary = cleaned.report()
    assert (summary.images, summary.kept, summary.unreadable_images) == (12, 2, 3)
    assert summary.left_out == ["crops", "split", "datasets"]
    return summary.page


@pytest.fixture(scope="module")
def parsed(page_of_cleaned: Path) -> Any:
    return html.fromstring(page_of_cleaned.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a project in which all stages have run; the crops are made here, without a network."""
    project = Project(tmp_path_factory.mktemp("finished"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("curation.datasets.balance.map_shards", map)
        shop = Shop(project)
        for seed in range(24):
            stock(shop, faceted_stone(seed), [("Ruby", "Emerald")[seed % 2]], [f"p{seed // 3}"])
        for seed in range(24, 27):
            stock(shop, faceted_stone(seed, 70 + seed), ["Ruby"], [f"p{seed}"])
        stock(shop, faceted_stone(27, 104), ["Ruby"], [])
        kept = [sha256 for sha256, row in shop.clean(settings=CLEANING).items() if row["keep"]]
        side = stored_side(64)
        crops = [
            {
                "image": {"bytes": encode_jpeg(faceted_stone(seed, side)), "path": f"{sha256}.jpg"},
                "sha256": sha256, "stone_box": [60, 80, 180, 160], "crop_box": [50, 50, 190, 190],
                "method": "rembg+canny", "mask_area": 0.3,
            }
            for seed, sha256 in enumerate(kept)
        ]  # fmt: skip
        write_table(project.crops / "00000.parquet", pa.Table.from_pylist(crops, CROPS))
        (project.crops / "crop.json").write_text("null")
        project.plots.mkdir()
        Image.fromarray(faceted_stone(1)).save(project.plots / "canny_steps.png")
        split(project)
        for name, settings in DATASETS.datasets.items():
            balance(project, name, settings, crop=CROPPING)
        summary = report(project, ["shop"], CLEANING, CROPPING, DATASETS, project.path("page.html"))
    assert (summary.left_out, summary.unreadable_images) == ([], 0)
    return summary.page


def text_of(parsed: Any, section: str) -> str:
    return " ".join(parsed.get_element_by_id(section).text_content().split())


def figures_of(parsed: Any, sha256: str) -> list[str]:
    """The text of each figure of an image."""
    return [
        " ".join(figure.text_content().split())
        for figure in parsed.iter("figure")
        if sha256 in figure.text_content()
    ]


def test_after_clean_each_section_is_there_or_names_its_stage(parsed: Any) -> None:
    assert all(parsed.get_element_by_id(section) is not None for section in SECTIONS)
    assert {link.get("href") for link in parsed.xpath("//nav//a")} == {f"#{name}" for name in SECTIONS}
    assert "Run 'gemcurate crop'" in text_of(parsed, "crops")
    assert "Run 'gemcurate split'" in text_of(parsed, "split")
    assert "Run 'gemcurate balance --dataset d1k'" in text_of(parsed, "datasets")
    assert "Only cleaning is done so far" in parsed.text_content()
    assert "A model is trained on the training images" in text_of(parsed, "split")


def test_counts_of_images_by_source_and_rule(parsed: Any, cleaned: Cleaned) -> None:
    rows: dict[str, list[str]] = {}
    for row in parsed.iter("tr"):
        first, *others = [" ".join(cell.text_content().split()) for cell in row]
        rows.setdefault(first, others)
    assert rows["shop"][:2] == ["13", "12"]
    assert rows["Shape"][:2] == ["1", "1"]
    assert rows["Exact duplicate"][:2] == ["0", "0"]
    assert rows["Hand (switched off)"][:2] == ["0", "0"]
    assert rows["Decided by a person"][:2] == ["1", "1"]
    assert "12 images came in, 2 are kept" in text_of(parsed, "classes")


def test_samples_show_the_reasons_text_and_numbers(parsed: Any, cleaned: Cleaned) -> None:
    [long] = figures_of(parsed, cleaned.images["long"])
    assert "value 5, threshold 3" in long and "1200×240 pixels" in long
    [small] = figures_of(parsed, cleaned.images["small"])
    assert "value 60, threshold 100" in small and "60×60 pixels" in small


def test_a_kept_image_is_shown_with_its_copies(parsed: Any, cleaned: Cleaned) -> None:
    [cluster] = parsed.find_class("cluster")
    best, copy = cluster.iter("figure")
    assert cleaned.images["emerald"] in best.text_content() and best.find_class("is-kept")
    assert cleaned.images["copy"] in copy.text_content() and copy.find_class("is-dropped")
    assert "300×300" in best.text_content() and "180×180" in copy.text_content()


def test_conflicts_and_unknown_names_are_listed(parsed: Any, cleaned: Cleaned) -> None:
    assert "Red Spinel, Ruby" in text_of(parsed, "labels")
    assert "listed as Red Spinel + Ruby" in figures_of(parsed, cleaned.images["conflict"])[0]
    assert SCRIPT in text_of(parsed, "labels")


@pytest.mark.parametrize("which", ["gone", "spoilt", "broken"])
def test_an_image_that_cannot_be_shown_says_why(parsed: Any, cleaned: Cleaned, which: str) -> None:
    with pytest.raises(ImageError) as undecodable:
        decode(NO_IMAGE)
    words = {"gone": "No such file", "spoilt": str(undecodable.value), "broken": "truncated"}
    shown = figures_of(parsed, cleaned.images[which])
    assert shown and all("No image:" in text and words[which] in text for text in shown)


def test_untrusted_text_is_escaped(parsed: Any) -> None:
    assert parsed.xpath("//script") == []
    assert parsed.xpath("//@*[starts-with(name(), 'on')]") == []
    assert all(image.get("src").startswith("data:image/") for image in parsed.iter("img"))
    assert MARKUP in parsed.text_content()
    assert SCRIPT in text_of(parsed, "dropped")


def test_the_same_tables_give_the_same_bytes(cleaned: Cleaned, page_of_cleaned: Path, tmp_path: Path) -> None:
    raw = cleaned.project.raw("shop") / "images.parquet"
    table = pq.read_table(raw)
    pq.write_table(table.take(np.arange(len(table))[::-1]), raw)
    cleaned.report(tmp_path / "again.html")
    pq.write_table(table, raw)
    assert (tmp_path / "again.html").read_bytes() == page_of_cleaned.read_bytes()


def test_without_the_table_of_decisions_there_is_no_page(home: Project) -> None:
    with pytest.raises(UserError, match=r"data/clean\.parquet"):
        report(home, ["shop"])
    assert not home.reports.exists()


def test_a_table_of_an_older_version_says_what_to_run(cleaned: Cleaned, tmp_path: Path) -> None:
    copy = cleaned.copied(tmp_path / "project")
    path = copy.project.clean_table
    table = pq.read_table(path)
    old = pa.struct([("rule", pa.string()), ("detail", pa.string())])
    reasons = pa.array([[{"rule": "small", "detail": "60×60 pixels"}]] * len(table), pa.list_(old))
    index = table.column_names.index("reasons")
    pq.write_table(table.set_column(index, "reasons", reasons), path)
    with pytest.raises(UserError, match=r"clean\.parquet.*'reasons'.*run 'gemcurate clean' \(dvc repro\)"):
        copy.report()


def test_an_output_that_is_a_folder_is_an_error(cleaned: Cleaned, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="name another"):
        cleaned.report(tmp_path)


def test_without_raw_tables_the_other_sections_are_there(cleaned: Cleaned, tmp_path: Path) -> None:
    copy = cleaned.copied(tmp_path / "project")
    (copy.project.raw("shop") / "images.parquet").unlink()
    copy.project.measured("shop").unlink()
    summary = copy.report()
    parsed = html.fromstring(summary.page.read_text())
    assert "sources" in summary.left_out
    assert "gemscrape crawl --site shop" in text_of(parsed, "sources")
    assert "value 5, threshold 3" in figures_of(parsed, cleaned.images["long"])[0]


@pytest.mark.parametrize("which", ["page_of_cleaned", "finished"])
def test_in_a_browser_the_page_is_self_contained(
    browser: Any, which: str, request: pytest.FixtureRequest
) -> None:
    path = request.getfixturevalue(which)
    page = browser.new_page(viewport={"width": 400, "height": 800})
    visit = Visit(page, path)
    assert visit.messages == []
    assert visit.external_requests == []
    images = "[...document.images]"
    assert page.evaluate(f"{images}.length") > 5
    assert page.evaluate(f"{images}.filter(image => !image.naturalWidth).length") == 0
    assert page.evaluate("document.documentElement.scrollWidth") == 400, "wider than a phone"
    assert page.evaluate("document.title")
    page.close()


def test_it_is_legible_in_light_and_dark_mode(browser: Any, finished: Path) -> None:
    seen = {}
    for scheme in ("light", "dark"):
        page = browser.new_page(color_scheme=scheme)
        page.goto(finished.as_uri())
        colours = "(style => [style.backgroundColor, style.color])(getComputedStyle(document.body))"
        ground, ink = (sum(map(int, colour[4:-1].split(","))) / 3 for colour in page.evaluate(colours))
        seen[scheme] = ground
        assert abs(ground - ink) > 150
        page.close()
    assert seen["dark"] < 60 < 200 < seen["light"]


def test_every_section_of_a_finished_dataset(finished: Path) -> None:
    parsed = html.fromstring(finished.read_text(encoding="utf-8"))
    assert parsed.find_class("missing") == []
    assert "1 image has no product" in text_of(parsed, "groups")
    assert "no group is in more than one split" in text_of(parsed, "split")
    assert "rembg+canny" in text_of(parsed, "crops")
    assert parsed.xpath("//section[@id='crops']//img[@class='steps']")
    assert "by a background removal network" in text_of(parsed, "crops")
    assert "120 training images made from" in text_of(parsed, "datasets")
    turned = parsed.xpath("//section[@id='orientations']//img")
    assert [image.get("alt") for image in turned] == [
        "Emerald in 16 orientations", "Ruby in 16 orientations",
    ]  # fmt: skip
    assert finished.stat().st_size < 5_000_000


def test_datasets_are_compared_side_by_side(finished: Path) -> None:
    parsed = html.fromstring(finished.read_text(encoding="utf-8"))
    rows = {}
    for row in parsed.xpath("//section[@id='datasets']//table[contains(@class, 'compared')]//tr"):
        title, *cells = [" ".join(cell.text_content().split()) for cell in row]
        rows[title] = cells
    assert rows["Kind"] == ["balanced", "balanced", "plain"]
    assert rows["Training images"][:2] == ["120", "200"]
    assert rows["… of them also in d2k"][0] == "120"
    assert rows["Training images per orientation"][0] == "6 to 8"
    assert rows["Ruby"][:2] == ["60", "100"]


def test_training_images_are_shown_with_their_orientation(finished: Path) -> None:
    parsed = html.fromstring(finished.read_text(encoding="utf-8"))
    shown = [image.get("alt") for image in parsed.xpath("//section[@id='datasets']//img")]
    assert shown[0] == "Emerald, unchanged" and shown[1].startswith("Ruby, mirrored")
    assert shown[-2:] == ["Emerald, unchanged", "Ruby, unchanged"]


def test_kept_images_near_a_threshold_are_shown(finished: Path) -> None:
    parsed = html.fromstring(finished.read_text(encoding="utf-8"))
    figures = [
        (bool(figure.find_class("is-kept")), " ".join(figure.text_content().split()))
        for figure in parsed.get_element_by_id("rule-small").iter("figure")
    ]
    values = [(kept, text.split("value ")[1].split(",")[0]) for kept, text in figures]
    assert values[:4] == [(False, "96"), (False, "95"), (False, "94"), (True, "104")]
    assert {value for kept, value in values[4:]} == {"240"}


def test_kept_images_are_on_the_other_side_of_a_threshold(home: Project) -> None:
    settings = CLEANING.replace(rules=CLEANING.rules | {"watermark": {}})
    shop = Shop(home)
    for seed, letters in enumerate((2, 3, 3)):  # three letters are at the threshold, and dropped
        stock(shop, faceted_stone(seed), ["Ruby"], [], text_over_stone=letters, text="GEM"[:letters])
    shop.clean(settings=settings)
    report(home, ["shop"], settings)
    parsed = html.fromstring((home.reports / "curation.html").read_text(encoding="utf-8"))
    shown = list(parsed.get_element_by_id("rule-watermark").iter("figure"))
    assert [bool(figure.find_class("is-kept")) for figure in shown] == [False, False, True]
    assert "value 2, threshold 3" in shown[2].text_content()


def test_crops_of_another_size_are_reported(finished: Path, tmp_path: Path) -> None:
    project = Project(finished.parent)
    summary = report(
        project, ["shop"], CLEANING, CropParams(size=224), DATASETS, output=tmp_path / "page.html"
    )
    assert "crops" in summary.left_out
    parsed = html.fromstring(summary.page.read_text(encoding="utf-8"))
    assert "'crop.size' 224" in text_of(parsed, "crops")
    assert "'crop.size' 224" in text_of(parsed, "orientations")


def test_a_dataset_without_images_has_a_page(home: Project) -> None:
    shop = Shop(home)
    shop.raw["shop"], shop.measured["shop"] = [], {}
    shop.clean()
    summary = report(home, ["shop"])
    parsed = html.fromstring(summary.page.read_text(encoding="utf-8"))
    assert "0 gemstone images in 0 classes" in parsed.text_content()


@pytest.mark.heavy
def test_each_threshold_of_a_rule_has_its_samples(cleaned: Cleaned, tmp_path: Path) -> None:
    copy = cleaned.copied(tmp_path / "project")
    table = copy.project.clean_table
    rows = read_table(table, CLEAN).to_pylist()
    for row in rows:
        if row["sha256"] == cleaned.images["long"]:
            crooked = {"value": 9.5, "threshold": 2.5, "text": "crooked"}
            row["reasons"].append({**row["reasons"][0], **crooked})
    write_table(table, pa.Table.from_pylist(rows, CLEAN))
    parsed = html.fromstring(copy.report().page.read_text(encoding="utf-8"))
    rule = parsed.get_element_by_id("rule-shape")
    assert "1 image" in rule.find_class("tag")[0].text_content()
    titles = [title.text for title in rule.xpath("h4")]
    assert "threshold of 2.5 (aspect ratio)," in titles[0] and "threshold of 3 (aspect ratio)," in titles[2]
    assert titles[1] == titles[3] == "Kept, nearest to that threshold"
    galleries = rule.find_class("images")
    assert [len(figures_of(gallery, cleaned.images["long"])) for gallery in galleries] == [1, 0, 1, 0]
