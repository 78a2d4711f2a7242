"""The records of predictions."""

import json
from dataclasses import asdict
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from gemtrain.inference.prediction import ClassProbability, Prediction, SpeciesProbability

SHARES = st.integers(0, 10_000).map(lambda share: share / 10_000)
NAMES = st.text(min_size=1)

PREDICTIONS = st.builds(
    Prediction,
    file=st.sampled_from([Path("a/b.png"), Path("../ü.jpg")]),
    crop_box=st.none() | st.tuples(*[st.integers(0, 5000)] * 4),
    method=st.none() | NAMES,
    top=st.lists(st.builds(ClassProbability, NAMES, SHARES, st.none() | NAMES), min_size=1, max_size=5),
    species=st.builds(SpeciesProbability, st.none() | NAMES, SHARES),
    accepted=st.booleans(),
    threshold=st.none() | SHARES,
)


@given(PREDICTIONS)
def test_a_record_has_the_values_of_its_prediction(prediction: Prediction) -> None:
    record = json.loads(json.dumps(prediction.to_json()))
    assert list(record) == ["file", "crop_box", "method", "top", "species", "accepted", "threshold"]
    box = prediction.crop_box
    assert record == {
        **asdict(prediction),
        "file": str(prediction.file),
        "crop_box": None if box is None else list(box),
    }


def test_probabilities_have_four_decimals() -> None:
    top = [ClassProbability("ruby", 2 / 3, "corundum")]
    record = Prediction(
        Path("x"), None, None, top, SpeciesProbability("corundum", 1 / 3), True, 0.5
    ).to_json()
    assert record["top"] == [{"variety": "ruby", "probability": 0.6667, "species": "corundum"}]
    assert record["species"] == {"species": "corundum", "probability": 0.3333}
