"""The records of predictions."""

import json
from pathlib import Path

import pytest
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
def test_a_record_is_read_as_it_was_written(prediction: Prediction) -> None:
    record = json.loads(json.dumps(prediction.to_json()))
    assert Prediction.from_json(record) == prediction
    assert list(record) == ["file", "crop_box", "method", "top", "species", "accepted", "threshold"]
    for broken in ({**record, "top": "ruby"}, {k: v for k, v in record.items() if k != "accepted"}, [record]):
        with pytest.raises(ValueError):
            Prediction.from_json(broken)


def test_probabilities_have_four_decimals() -> None:
    top = [ClassProbability("ruby", 2 / 3, "corundum")]
    record = Prediction(
        Path("x"), None, None, top, SpeciesProbability("corundum", 1 / 3), True, 0.5
    ).to_json()
    assert record["top"] == [{"variety": "ruby", "probability": 0.6667, "species": "corundum"}]
    assert record["species"] == {"species": "corundum", "probability": 0.3333}
