"""The benchmark of recipes in folds: its cache, its tables, and that no group is in two splits."""

import json
import shutil
import time
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
import torch

from benchmarks._shared import ROOT
from benchmarks.training import _cached_training, ablation, folds, published
from benchmarks.training._cached_training import Training, TrainingResult, train_all, train_cached
from benchmarks.training._gems68 import FOLDS, fold_splits
from curation.datasets.records import CleanedImage
from gemkit.errors import UserError
from gemkit.html import markdown_table
from gemkit.project import Project
from gemtrain.evaluation.predictions import Predictions
from gemtrain.recipe import Recipe, Stage, load_recipe
from gemtrain.scoring.selective_prediction import Confidence
from tests.helpers.textures import VARIETIES

CPU = torch.device("cpu")
HERE, CACHE = Project(), Path("cache")
SHORT = Recipe(
    description="",
    network="gemnet",
    image_size=48,
    stages=(Stage(epochs=1, learning_rate=1e-3),),
    max_steps=2,
)


def test_a_finished_training_is_cached_until_its_recipe_changes(
    gems: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trained = counted(monkeypatch)
    first = train_cached(Training(HERE, "gems", "short", SHORT, 0), CACHE, CPU)
    again = train_cached(Training(HERE, "gems", "short", SHORT, 0), CACHE, CPU)
    assert len(trained) == 1 and again.minutes == first.minutes > 0
    assert first.confidence == again.confidence == trained[0].confidence
    assert np.array_equal(first.predictions.probabilities, again.predictions.probabilities)
    assert first.predictions.varieties == list(VARIETIES) and len(first.predictions.labels) == 15
    train_cached(
        Training(HERE, "gems", "short", SHORT.replace(description="another description"), 0), CACHE, CPU
    )
    assert len(trained) == 1
    train_cached(Training(HERE, "gems", "short", SHORT.replace(tta_views=2), 0), CACHE, CPU)
    train_cached(Training(HERE, "gems", "short", SHORT.replace(tta_views=2), 1), CACHE, CPU)
    assert len(trained) == 3


def test_cached_trainings_outlive_new_options(
    gems: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trained = counted(monkeypatch)
    train_cached(Training(HERE, "gems", "short", SHORT, 0), CACHE, CPU)
    notes = CACHE / "gems-short.json"
    found = json.loads(notes.read_text())
    del found["training"]["settings"]["tta_views"]
    notes.write_text(json.dumps(found))
    train_cached(Training(HERE, "gems", "short", SHORT, 0), CACHE, CPU)
    assert len(trained) == 1
    found["training"]["settings"]["a_removed_option"] = 1
    notes.write_text(json.dumps(found))
    train_cached(Training(HERE, "gems", "short", SHORT, 0), CACHE, CPU)
    assert len(trained) == 2


@pytest.mark.slow
def test_parallel_trainings_return_in_order(gems: Path) -> None:
    trainings = [Training(HERE, "gems", f"short-{seed}", SHORT, seed) for seed in range(2)]
    found = list(train_all(trainings, CACHE, one_by_one=False))
    alone = list(train_all(trainings, CACHE, one_by_one=True))  # read, not repeated
    assert [done.minutes for done in found] == [done.minutes for done in alone]
    for seed, done in enumerate(found):
        expected = train_cached(Training(HERE, "gems", f"again-{seed}", SHORT, seed), CACHE, CPU)
        assert done.predictions.probabilities == pytest.approx(expected.predictions.probabilities, abs=1e-4)


def test_a_training_interrupted_while_predicting_is_not_repeated(
    gems: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trained = counted(monkeypatch)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(_cached_training, "predict_split", interrupted)
        train_cached(Training(HERE, "gems", "short", SHORT, 0), CACHE, CPU)
    done = train_cached(Training(HERE, "gems", "short", SHORT, 0), CACHE, CPU)
    assert len(trained) == 1 and done.confidence == trained[0].confidence
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(_cached_training, "predict_split", interrupted)
        train_cached(Training(HERE, "gems", "short", SHORT, 1), CACHE, CPU)
    train_cached(
        Training(HERE, "gems", "short", SHORT, 2), CACHE, CPU
    )  # the remaining model is of another seed
    assert len(trained) == 3


def counted(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The results of all trainings from now on."""
    trained: list[dict[str, Any]] = []
    train = _cached_training.train

    def keep(*arguments: Any) -> dict[str, Any]:
        trained.append(train(*arguments))
        return trained[-1]

    monkeypatch.setattr(_cached_training, "train", keep)
    return trained


def interrupted(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def test_the_clock_continues_after_an_interruption(tmp_path: Path) -> None:
    path = tmp_path / "seconds"
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt), _cached_training.Clock(path):
            time.sleep(0.05)
            raise KeyboardInterrupt
    assert 0.1 <= float(path.read_text()) < 5


def test_a_killed_clock_loses_only_the_last_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_cached_training, "_TICK", 0.02)
    path, start = tmp_path / "seconds", time.monotonic()
    with _cached_training.Clock(path):
        time.sleep(0.3)
        assert 0.1 <= float(path.read_text()) <= time.monotonic() - start


def cleaned(number: int, group: int) -> CleanedImage:
    return CleanedImage(f"{number:064x}", VARIETIES[group % 3], [], f"{group:064x}", True)


def test_every_image_is_tested_once_and_no_group_is_in_two_splits() -> None:
    rows = [cleaned(number, number // 2) for number in range(240)]
    tested = []
    for fold in range(FOLDS):
        found = fold_splits(rows, fold)
        assert {row.sha256 for row in found} == {row.sha256 for row in rows}
        split_of = {}
        for row in found:
            assert split_of.setdefault(row.group_id, row.split) == row.split
        tested += [row.sha256 for row in found if row.split == "test"]
        for name, least, most in (("validation", 6, 40), ("train", 130, 190)):
            varieties = [row.variety for row in found if row.split == name]
            assert set(varieties) == set(VARIETIES) and least <= len(varieties) <= most
    assert sorted(tested) == sorted(row.sha256 for row in rows)


def fold_of(number: int, right: list[bool], temperature: float = 1.0) -> TrainingResult:
    """Images of three classes, each its own group; `right` are predicted correctly."""
    count = len(right)
    labels = np.arange(count) % 3
    probabilities = np.full((count, 3), 0.1, np.float32)
    probabilities[np.arange(count), np.where(right, labels, (labels + 1) % 3)] = 0.8
    names = [f"{number} {row}" for row in range(count)]
    predictions = Predictions(names, names, labels, probabilities, list(VARIETIES), [None] * 3)
    return TrainingResult(predictions, Confidence(temperature, 0.5), 2.0 + number)


def test_the_tables_pool_all_folds() -> None:
    plain = {number: fold_of(number, [True] * (6 + number) + [False] * (6 - number)) for number in range(4)}
    ours = {
        number: fold_of(number, [True] * (9 + number) + [False] * (3 - number), 0.5) for number in range(4)
    }
    page = folds.page({"plain:canny": plain, "ours": ours})
    head, _, first, second, *_ = [line.split(" | ") for line in page.splitlines()]
    row = dict(zip(head, second, strict=True))
    assert row["| recipe"] == "| ours" and row["crops"] == "black" and first[1] == "canny"
    assert row["images / groups"] == "48 / 48" and row["top-1 [95 %]"].startswith("0.875 [0.")
    assert row["top-1, folds 3 to 4"] == "1.000" and row["minutes a fold |"].startswith("3.5, at most 5.0")
    sharpened = 0.8**2 / (0.8**2 + 2 * 0.1**2)
    assert folds.pooled(ours.values()).probabilities.max(axis=1) == pytest.approx(sharpened)
    *_, all_of_them, last = page.splitlines()
    assert "| ours − plain:canny | +0.250 [+0.1" in all_of_them
    assert "| ours − plain:canny, folds 3 to 4 | +0.250 [" in last


def test_the_difference_is_of_the_folds_of_both() -> None:
    plain = {number: fold_of(number, [True] * 6 + [False] * 6) for number in (0, 3)}
    ours = {
        number: fold_of(number, [True] * right + [False] * (12 - right)) for number, right in ((3, 9), (4, 0))
    }
    page = folds.page({"plain:canny": plain, "ours": ours})
    assert "| ours | black | 2 | 24 / 24 | 0.375" in page
    assert page.count("| ours − plain:canny") == 2 and page.count("| +0.250 [") == 2


def test_cached_results_can_be_read_without_the_images(gems: Path) -> None:
    training = Training(HERE, "gems", "short", SHORT, 0)
    assert _cached_training.read_cached(training, CACHE) is None
    done = train_cached(training, CACHE, CPU)
    shutil.rmtree("data/datasets/gems")
    kept = _cached_training.read_cached(training, CACHE)
    assert kept is not None and kept.minutes == done.minutes
    assert np.array_equal(kept.predictions.probabilities, done.predictions.probabilities)
    for other in (training._replace(seed=1), training._replace(recipe=SHORT.replace(tta_views=2))):
        assert _cached_training.read_cached(other, CACHE) is None
    assert _cached_training.read_cached(training, CACHE, "another version") is None


def test_a_cell_may_contain_the_separator() -> None:
    lines = markdown_table(("recipe", "stopped"), [("a|b", "no")]).splitlines()
    assert lines == ["| recipe | stopped |", "| --- | ---: |", r"| a\|b | no |"]


@pytest.mark.parametrize(
    ("sentence", "is_result"),
    [
        ("The loss became nan in batch 3 of epoch 1; lower the recipe's 'learning_rate'.", True),
        ("Cannot write 'model.json': No space left on device. Free or unlock the disk.", False),
        ("The 9 images of d1k train take 2.0 GB, and '.cache' has room for 1.0 GB; free some.", False),
    ],
)
def test_a_full_disk_is_not_a_result_of_a_published_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sentence: str, is_result: bool
) -> None:
    def stopped(*_: object) -> NoReturn:
        raise UserError(sentence)

    monkeypatch.setattr(published, "run", stopped)
    job = published.Job("demo", "gemnet", 1.0, None)
    if is_result:
        assert published.trained(job, tmp_path, {}) == {"error": sentence}
    else:
        with pytest.raises(UserError, match=r"disk|room"):
            published.trained(job, tmp_path, {})


def test_the_table_in_the_readme_is_current() -> None:
    found = folds.cached_folds(folds.all_jobs())
    assert list(found) == [folds.PLAIN, folds.OURS]
    readme = (ROOT / "benchmarks/README.md").read_text(encoding="utf-8")
    for line in folds.page(found).splitlines():
        assert line in readme, "the table differs from that of benchmarks.training.folds --table-only"


def test_unknown_crops() -> None:
    with pytest.raises(UserError, match="'plain:white' has unknown crops 'white'; use black"):
        folds.split_model("plain:white")


def test_every_row_of_the_ablation_differs() -> None:
    base = load_recipe(folds.split_model(folds.OURS)[0])
    changed = {(repr(change(base)), crops) for change, crops in ablation.ROWS.values()}
    assert len(changed) == len(ablation.ROWS)
    stages = ablation.ROWS["small images first"][0](base).stages
    assert sum(stage.epochs for stage in stages) == sum(stage.epochs for stage in base.stages)
