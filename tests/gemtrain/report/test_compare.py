"""Comparisons of two models on what both were tested on."""

import numpy as np
import pytest

from gemtrain.evaluation.predictions import Predictions
from gemtrain.report.compare import compare
from tests.helpers.clustered_hits import clustered


def model_of(
    hits: np.ndarray, groups: list[str], labels: np.ndarray, varieties: list[str], prefix: str = "image"
) -> Predictions:
    """A model that is correct where `hits` is true, and otherwise predicts the next class."""
    taken = np.where(hits, labels, (labels + 1) % len(varieties))
    return Predictions(
        [f"{prefix} {row}" for row in range(len(labels))],
        groups, labels, np.eye(len(varieties), dtype=np.float32)[taken], varieties, [None] * len(varieties),
    )  # fmt: skip


@pytest.mark.heavy
def test_real_differences_are_found_and_others_are_not() -> None:
    rng = np.random.default_rng(2)
    found = {"same": 0, "better": 0}
    for _ in range(25):
        hits, groups = clustered(rng)
        labels = rng.integers(4, size=len(hits))
        # Two models that fail mostly on the same stones: their own intervals overlap widely.
        chance = np.where(hits, 0.9, 0.1)
        models = {
            name: model_of(rng.random(len(hits)) < chance + more, groups, labels, list("abcd"))
            for name, more in (("first", 0.0), ("same", 0.0), ("better", 0.1))
        }
        for name in found:
            compared = compare(models["first"], models[name])
            assert compared is not None
            found[name] += compared.scores[0].p < 0.05
    assert found["same"] <= 4 and found["better"] >= 18


def test_models_are_compared_on_what_they_share() -> None:
    labels = np.array([0, 1, 2, 0, 1, 2])
    first = model_of(np.array([1, 0, 1, 0, 1, 1], bool), list("aabbcc"), labels, ["ruby", "topaz", "opal"])
    # The same images in other order, without topaz; image 5 is called ruby here.
    rows = [5, 3, 2, 0]
    second = Predictions(
        [f"image {row}" for row in rows], list("cbba"), np.array([1, 1, 0, 1]),
        np.array([[0.1, 0.9], [0.2, 0.8], [0.4, 0.6], [0.7, 0.3]], np.float32),
        ["opal", "ruby"], [None, None],
    )  # fmt: skip
    compared = compare(first, second)
    assert compared is not None
    assert (compared.images, compared.groups, compared.classes) == (3, 2, 2)
    # Images 0, 2, 3. The first predicts topaz for 3, which is not shared: the first of equals wins.
    assert compared.scores[0].first.value == 1 and compared.scores[0].second.value == pytest.approx(1 / 3)
    assert compared.scores[1].difference.value == 0
    assert (
        compare(first, model_of(np.ones(2, bool), ["a", "a"], np.array([0, 1]), ["opal", "ruby"], "x"))
        is None
    )
    assert compare(first, model_of(np.ones(2, bool), ["a", "a"], np.array([0, 1]), ["jet", "ruby"])) is None
