"""The classifier looks its inputs up by name."""

import numpy as np
import pytest

from curation.cleaning.content_classifier import CONTENT_CLASSES, INPUTS, inputs
from tests.helpers.synthetic_measurements import synthetic_images


def test_probabilities_sum_to_one_and_are_nan_without_measurements() -> None:
    predictions = synthetic_images({}, {"error": "truncated"}).content_predictions
    total = sum(predictions.probability(name) for name in CONTENT_CLASSES)
    assert total[0] == pytest.approx(1)
    assert np.isnan(predictions.probabilities[1]).all()


def test_an_input_is_the_column_of_its_name() -> None:
    rng = np.random.default_rng(0)
    columns = {name: rng.uniform(0, 1, 3) for name in INPUTS}
    measured = columns | {"background_lab": rng.uniform(0, 1, (3, 3)), "stone_box": rng.uniform(0, 1, (3, 4))}
    before = inputs(measured)
    assert (before[:, INPUTS.index("roundness")] == columns["roundness"]).all()
    assert (before[:, INPUTS.index("ring_chroma")] == np.log1p(columns["ring_chroma"])).all()
    after = inputs(dict(reversed(measured.items())) | {"roundness": columns["roundness"] + 1})
    assert [name for name, changed in zip(INPUTS, (before != after).any(axis=0), strict=True) if changed] == [
        "roundness"
    ]
