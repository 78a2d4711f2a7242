"""The report about trained models, the comparison of two of them, and the tables that they read."""

import base64
import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import html

from gemkit.errors import UserError
from gemkit.project import Project
from gemkit.tables import read_table, write_table
from gemtrain.data.dataset import Dataset
from gemtrain.evaluation.evaluate import evaluate
from gemtrain.evaluation.gallery import one_per_group, spread
from gemtrain.evaluation.predictions import read_predictions
from gemtrain.evaluation.records import Evaluation
from gemtrain.recipe import load_settings
from gemtrain.report.compare import compare, compare_models
from gemtrain.report.report import report
from gemtrain.report.results import read_result
from gemtrain.report.summary import summary
from gemtrain.tables import DATASET, PREDICTIONS
from gemtrain.training.train import train
from tests.helpers.browser import Visit
from tests.helpers.textures import SOURCES, row_of, write_params, write_rows

CPU = torch.device("cpu")


#: Names that a browser takes for markup, and matplotlib for a formula.
VARIETIES = ("<script>alert(1)</script>", 'Opal "$x_$" & <b>Co</b>', "Topaz $^$")


SPECIES = ("beryl", None, "beryl")


def make(name: str, labels: tuple[int, ...]) -> None:
    """A dataset of some of the classes, whose images are the same in every dataset."""
    for offset, (split, sources) in enumerate(SOURCES.items()):
        rows = []
        for number_of_label, label in enumerate(labels):
            for number in range(sources):
                names = {"variety": VARIETIES[label], "species": SPECIES[label], "label": number_of_label}
                # Two images a group.
                group = f"{split} {label} {number // 2}"
                rows.append({**row_of(label, 100 * offset + number, split), **names, "group_id": group})
        write_rows(name, split, rows)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with two datasets, of three and of two classes, three evaluated models, and summaries."""
    folder = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        make("three", (0, 1, 2))
        make("two", (0, 2))
        head = [{"train": "head", "epochs": 5, "learning_rate": 0.01}]
        write_params(gemnet={"max_steps": 2}, efficientnet_lite0={"stages": head, "max_steps": None})
        for dataset, recipe in (("three", "gemnet"), ("three", "efficientnet_lite0"), ("two", "gemnet")):
            changed, seed = load_settings(Path("params.yaml"), recipe)
            train(Project(), dataset, changed, seed, CPU)
            lines = summary(evaluate(Project(), dataset, recipe, CPU))
            Path(f"{dataset}-{recipe}.txt").write_text("\n".join(lines))
        report(Project())
        yield folder


@pytest.fixture
def copy(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project that a test may change, as the current folder."""
    for name in ("metrics", "plots", "data"):
        shutil.copytree(project / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def parsed(project: Path) -> Any:
    return html.fromstring((project / "reports/training-three.html").read_text(encoding="utf-8"))


def text_of(parsed: Any, section: str) -> str:
    return " ".join(parsed.get_element_by_id(section).text_content().split())


def metrics_of(dataset: str, recipe: str) -> dict[str, Any]:
    return json.loads(Path(f"metrics/{dataset}/{recipe}.json").read_text())


def test_every_number_states_what_it_was_measured_on(project: Path, parsed: Any) -> None:
    dataset = Dataset(Project(), "three")
    stated = f"test split of three, version {dataset.version}: 15 images of 9 groups"
    assert stated in text_of(parsed, "models")
    for number, recipe in enumerate(("efficientnet_lite0", "gemnet")):
        metrics = metrics_of("three", recipe)
        assert metrics["dataset"] == {"name": "three", "version": dataset.version, "split": "test"}
        section = text_of(parsed, f"model-{number}")
        assert stated in section and f"{100 * metrics['top1']:.1f}" in section
        low, high = metrics["intervals"]["top1"]
        assert f"{100 * low:.1f} to {100 * high:.1f}" in section
    assert "from scratch" in text_of(parsed, "models") and "pretrained" in text_of(parsed, "models")


def test_a_network_below_the_forest_is_called_out(project: Path, parsed: Any) -> None:
    """Two steps are not enough for `gemnet`, but the colours of these images are for the forest."""
    baselines = metrics_of("three", "gemnet")["baselines"]
    assert baselines["below_forest"] and baselines["over_forest"] < -0.2
    assert "\nwarning: below the random-forest baseline" in Path("three-gemnet.txt").read_text()
    assert "below the random-forest baseline" not in Path("three-efficientnet_lite0.txt").read_text()
    assert "Below the random forest: gemnet" in text_of(parsed, "models")
    assert "Below the random forest by" in text_of(parsed, "model-1")
    assert "Below the random forest" not in text_of(parsed, "model-0")
    assert any("below the random-forest baseline" in line for line in report(Project(), ["three"]))


def test_metrics_agree_with_the_predictions(project: Path) -> None:
    for dataset, recipe in (("three", "gemnet"), ("three", "efficientnet_lite0"), ("two", "gemnet")):
        metrics = metrics_of(dataset, recipe)
        predictions = read_predictions(Project(), dataset, recipe)
        correct = predictions.probabilities.argmax(1) == predictions.labels
        assert metrics["top1"] == pytest.approx(correct.mean(), abs=1e-4)
        assert metrics["species_top1"] >= metrics["top1"] or dataset == "three"
        for key, (low, high) in metrics["intervals"].items():
            found = {**metrics, **metrics["baselines"]}[key]
            assert low - 1e-4 <= found <= high + 1e-4
        table_of_classes = Path(f"plots/{dataset}/{recipe}/per_class.csv").read_text(encoding="utf-8")
        rows = list(csv.DictReader(table_of_classes.splitlines()))
        assert [row["variety"] for row in rows] == predictions.varieties
        assert all(int(row["images"]) == 5 and int(row["groups"]) == 3 for row in rows)
        assert all(int(row["training_photos"]) == SOURCES["train"] for row in rows)
        blind = [row["variety"] for row in rows if float(row["recall"]) < 0.2]
        assert sorted(metrics["blind_spots"]) == sorted(blind)


def test_untrusted_text_is_escaped(parsed: Any) -> None:
    assert parsed.xpath("//script") == [] and parsed.xpath("//td//b") == []
    for name in VARIETIES:
        assert name in text_of(parsed, "model-0") or name.replace("_", " ") in text_of(parsed, "model-0")
    sources = [image.get("src") for image in parsed.iter("img")]
    assert len(sources) == 2 + 7 + 6  # the better model has no mistakes to show
    assert all(source.startswith("data:image/") for source in sources)
    assert base64.b64decode(sources[0].split(",")[1])[:4] == b"\x89PNG"


def test_datasets_are_compared_on_what_they_share(project: Path, parsed: Any) -> None:
    words = text_of(parsed, "datasets")
    assert "two against three" in words
    assert "On the 10 images of 6 groups in the 2 classes that both test splits have" in words
    assert Path("plots/three/against-two.png").exists() and Path("plots/two/against-three.png").exists()
    lines = compare_models(Project(), "three/gemnet", "two/gemnet")
    assert lines[0] == "first: three/gemnet; second: two/gemnet" and len(lines) == 5
    assert "10 images of 6 groups and 2 classes" in lines[1]
    compared = compare(*(read_predictions(Project(), dataset, "gemnet") for dataset in ("three", "two")))
    assert compared is not None
    for line, score in zip(lines[2:], compared.scores, strict=True):
        assert line.startswith(
            f"top-{score.k}: first {score.first.value:.3f}, second {score.second.value:.3f}; "
            f"second minus first {score.difference.value:+.3f} ["
        )


def test_the_same_results_give_the_same_bytes(project: Path) -> None:
    files = [Path("reports/training-three.html"), Path("plots/three/models.csv")]
    before = [file.read_bytes() for file in files]
    report(Project(), ["three"])
    assert [file.read_bytes() for file in files] == before


def test_a_model_of_another_version_of_the_dataset_is_left_out(copy: Path) -> None:
    path = Path("metrics/three/gemnet.json")
    metrics = json.loads(path.read_text())
    metrics["dataset"]["version"] = "zzz"
    path.write_text(json.dumps(metrics))
    report(Project(), ["three"])
    page = html.fromstring(Path("reports/training-three.html").read_text(encoding="utf-8"))
    assert "left out: gemnet" in text_of(page, "models")
    assert page.xpath("//section[@id='model-1']") == []


def test_a_page_about_one_model_without_species(copy: Path) -> None:
    for kind in ("metrics", "plots", "data/predictions"):
        for path in Path(kind, "three").glob("efficientnet_lite0*"):
            path.rename(path.with_name(f"gone-{path.name}")) if path.is_dir() else path.unlink()
    path = Path("metrics/three/gemnet.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"species": 3}))
    classes = Path("plots/three/gemnet/per_class.csv")
    classes.write_text(classes.read_text(encoding="utf-8").replace(",beryl,", ",,"), encoding="utf-8")
    report(Project(), ["three"])
    page = html.fromstring(Path("reports/training-three.html").read_text(encoding="utf-8"))
    assert page.find(".//h1").text == "How well gemnet tells 3 classes apart"
    words = " ".join(page.text_content().split())
    for phrase in ("species", "side by side", "To the best", "best model", "gemstone", " 1 model"):
        assert phrase.lower() not in words.lower()
    for rows in (found.findall(".//tr") for found in page.iter("table")):
        assert {len(row) for row in rows} == {len(rows[0])}


def test_a_page_about_several_models_names_the_best(parsed: Any) -> None:
    assert parsed.find(".//h1").text == "How well 2 models tell 3 classes apart"
    assert "The best model is efficientnet_lite0." in parsed.find(".//header").text_content()
    header = [cell.text_content() for cell in parsed.get_element_by_id("models").iter("th")]
    assert header[5:7] == ["To the best", "Species"]
    assert "top-1 of 2 species" in text_of(parsed, "model-0")


def change_metrics(recipe: str, **changes: dict[str, object]) -> None:
    """Change values inside some parts of a metrics file."""
    path = Path(f"metrics/three/{recipe}.json")
    metrics = json.loads(path.read_text())
    path.write_text(json.dumps(metrics | {key: metrics[key] | change for key, change in changes.items()}))


def written_page() -> Any:
    report(Project(), ["three"])
    return html.fromstring(Path("reports/training-three.html").read_text(encoding="utf-8"))


def test_only_a_model_with_a_fitted_temperature_is_called_calibrated(copy: Path) -> None:
    for temperature, is_fitted in ((1.3, True), (1.0, False)):
        change_metrics("gemnet", calibration={"temperature": temperature})
        words = text_of(written_page(), "model-1")
        assert ("the confidence is calibrated" in words) == is_fitted
        assert ("The temperature, 1.30, was fitted" in words) == is_fitted
        assert ("The model is not calibrated" in words) != is_fitted
        assert ("With temperature" in words) == is_fitted
        lines = summary(Evaluation("gemnet", read_result(Project(), "three", "gemnet").metrics, []))
        assert any("with temperature 1.30" in line for line in lines) == is_fitted
        assert any("too few validation errors to fit a temperature" in line for line in lines) != is_fitted


def test_a_model_without_mistakes_has_no_panel_of_them(copy: Path) -> None:
    titles = [image.get("alt") for image in written_page().get_element_by_id("model-1").iter("img")]
    assert "Most confident mistakes" in titles
    assert "Accuracy and precision of the best and of the worst classes" in titles
    folder = Path("plots/three/gemnet")
    confused, classes = folder / "confused.csv", folder / "per_class.csv"
    confused.write_text(confused.read_text(encoding="utf-8").partition("\n")[0] + "\n", encoding="utf-8")
    with classes.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    with classes.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(row | {"recall": "1.0"} for row in rows)
    section = written_page().get_element_by_id("model-1")
    titles = [image.get("alt") for image in section.iter("img")]
    assert (
        "Most confident mistakes" not in titles
        and "No test image was misclassified" in section.text_content()
    )
    assert "Accuracy and precision of the best classes" in titles
    assert next(title.text for title in section.iter("h3")) == "Best classes"


def test_errors_name_what_is_missing(copy: Path) -> None:
    with pytest.raises(UserError, match="'four'"):
        report(Project(), ["four"])
    with pytest.raises(UserError, match="is not the name of a model"):
        compare_models(Project(), "gemnet", "two/gemnet")
    with pytest.raises(UserError, match=r"predictions/two/vgg16.*evaluate --dataset two --recipe vgg16"):
        compare_models(Project(), "two/gemnet", "two/vgg16")
    Path("plots/three/gemnet/random.jpg").unlink()
    with pytest.raises(UserError, match=r"plots/three/gemnet/random\.jpg"):
        report(Project(), ["three"])
    Path("plots/three/gemnet/confused.csv").unlink()
    with pytest.raises(UserError, match=r"confused\.csv.*evaluate --dataset three --recipe gemnet"):
        report(Project(), ["three"])
    for content in ("{", "[]", '{"top1": 0.5}'):
        Path("metrics/three/gemnet.json").write_text(content)
        with pytest.raises(UserError, match=r"gemnet\.json"):
            report(Project(), ["three"])
    shutil.rmtree("metrics")
    with pytest.raises(UserError, match="no evaluated model"):
        report(Project())


def test_an_image_in_two_splits_is_a_leak(copy: Path) -> None:
    seen, test = (
        read_table(Path(f"data/datasets/three/{split}-00000.parquet"), DATASET).to_pylist()
        for split in ("train", "test")
    )
    test[0]["sha256"] = seen[3]["sha256"]
    write_rows("three", "test", test)
    with pytest.raises(UserError, match=f"leaks: image '{test[0]['sha256']}'"):
        Dataset(Project(), "three").check_leaks()


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(2, 5), st.integers(0, 10_000), st.sampled_from(["", "label", "probabilities", "split"]))
def test_predictions_are_read_back_or_refused(tmp_path: Path, classes: int, seed: int, broken: str) -> None:
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(classes), rng.integers(classes, size=5)])
    rows = [
        {
            "sha256": f"{number:04}", "group_id": f"g{number // 2}", "split": "test", "label": int(label),
            "variety": f"v{label}", "species": None, "embedding": [0.5],
            "probabilities": rng.dirichlet(np.ones(classes)).tolist(),
        }
        for number, label in enumerate(labels)
    ]  # fmt: skip
    rows.append({**rows[0], "sha256": "9999", "split": "validation"})
    if broken == "label":
        rows = [row for row in rows if row["label"] != 0]
    elif broken == "probabilities":
        rows[1]["probabilities"] = rows[1]["probabilities"][:-1]
    elif broken == "split":
        rows = [{**row, "split": "train"} for row in rows]
    project = Project(tmp_path)
    write_table(project.predictions("d", "r"), pa.Table.from_pylist(rows, PREDICTIONS))
    if broken:
        with pytest.raises(UserError, match=r"predictions/d/r\.parquet"):
            read_predictions(project, "d", "r")
    else:
        found = read_predictions(project, "d", "r")
        assert found.labels.tolist() == labels.tolist() and len(found.sha256s) == len(labels)
        assert found.varieties == [f"v{label}" for label in range(classes)]
        assert found.probabilities.shape == (len(labels), classes)


@given(st.lists(st.sampled_from("abcdef"), max_size=20), st.integers(0, 60), st.integers(1, 20))
def test_galleries_show_a_group_once_and_are_spread_out(groups: list[str], count: int, most: int) -> None:
    chosen = one_per_group(range(len(groups)), groups)
    assert sorted(groups[row] for row in chosen) == sorted(set(groups)) and chosen == sorted(chosen)
    places = spread(count, most)
    assert len(places) == min(count, most) and places == sorted(set(places))
    assert not places or (places[0] == 0 and (most == 1 or places[-1] == count - 1))


def test_the_page_is_self_contained_in_a_browser(browser: Any, project: Path) -> None:
    path = project / "reports/training-three.html"
    for width in (390, 1280):
        page = browser.new_page(viewport={"width": width, "height": 800})
        visit = Visit(page, path)
        assert visit.messages == [] and visit.external_requests == []
        images = "[...document.images]"
        assert page.evaluate(f"{images}.length") == 15
        assert page.evaluate(f"{images}.filter(image => !image.naturalWidth).length") == 0
        assert page.evaluate("document.documentElement.scrollWidth") == width
        page.close()
