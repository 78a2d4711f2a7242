"""Metrics and tables are read as they were written, or refused."""

import json
from dataclasses import asdict, fields, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemkit.records import InvalidRecord, read_csv
from gemkit.stats.confidence_intervals import Estimate, Interval
from gemtrain.evaluation.csv_records import write_records
from gemtrain.evaluation.records import (
    Acceptance,
    Baselines,
    CalibrationScores,
    ClassRow,
    ClassScores,
    ConfusedClass,
    EvaluatedSplit,
    Intervals,
    Metrics,
    ModelFacts,
)

#: Shares that four decimals hold, as in the files.
SHARES = st.integers(0, 10_000).map(lambda share: share / 10_000)
INTERVALS = st.builds(Interval, SHARES, SHARES)
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1)


def scored(kind: type) -> st.SearchStrategy:
    """Instances of a dataclass whose fields are shares."""
    return st.builds(kind, **{field.name: SHARES for field in fields(kind)})


METRICS = st.builds(
    Metrics,
    dataset=st.builds(EvaluatedSplit, NAMES, NAMES, st.just("test")),
    model=st.builds(ModelFacts, NAMES, NAMES, st.integers(1), st.integers(1)),
    **{field.name: SHARES for field in fields(Metrics) if field.type == "float" or field.type is float},
    calibration=scored(CalibrationScores),
    confidence=st.builds(Acceptance, SHARES | st.none(), SHARES, SHARES | st.none()),
    baselines=st.builds(Baselines, SHARES, SHARES, SHARES, st.booleans()),
    intervals=st.builds(Intervals, **{field.name: INTERVALS for field in fields(Intervals)}),
    blind_spots=st.lists(NAMES).map(tuple),
)


@pytest.mark.heavy
@given(METRICS)
def test_metrics_are_read_as_they_were_written(metrics: Metrics) -> None:
    text = json.dumps(metrics.to_json())
    assert Metrics.from_json(json.loads(text)) == metrics
    assert list(json.loads(text)) == [field.name for field in fields(Metrics)]
    assert metrics.top[3] == Estimate(metrics.top3, metrics.intervals.top3)
    low, high = metrics.under_forest.interval
    assert (-high, -low) == metrics.intervals.over_forest


@pytest.mark.heavy
@given(METRICS, st.data())
def test_metrics_without_a_value_or_of_another_type_are_refused(
    metrics: Metrics, data: st.DataObject
) -> None:
    content = metrics.to_json()
    nested = [value for value in content.values() if isinstance(value, dict)]
    inside = data.draw(st.sampled_from([content, *nested]))
    key = data.draw(st.sampled_from(sorted(inside)))
    inside[key] = {"not": "this"}
    with pytest.raises(InvalidRecord, match=f"{key}"):
        Metrics.from_json(content)
    del inside[key]
    with pytest.raises(InvalidRecord, match=f"the key '.*{key}' is missing"):
        Metrics.from_json(content)


@pytest.mark.parametrize(("key", "value"), [("top1", "0.5"), ("classes", 3.0), ("top1", True), ("top9", 0.5)])
@settings(max_examples=25)
@given(metrics=METRICS)
def test_metrics_have_exactly_their_types_and_keys(metrics: Metrics, key: str, value: object) -> None:
    with pytest.raises(InvalidRecord, match=f"'{key}'"):
        Metrics.from_json({**metrics.to_json(), key: value})


@pytest.mark.heavy
@given(METRICS, st.floats(0, 1))
def test_numbers_have_four_decimals(metrics: Metrics, share: float) -> None:
    ends = replace(metrics.intervals, top1=Interval(share, share))
    content = replace(metrics, top1=share, intervals=ends).to_json()
    assert content["top1"] == content["intervals"]["top1"][0] == round(share, 4)


CONFUSED = st.builds(
    ConfusedClass, NAMES, st.integers(1), SHARES, NAMES, SHARES, st.none() | NAMES, st.none() | SHARES
)


@pytest.mark.heavy
@given(st.lists(CONFUSED))
def test_rows_are_read_as_they_were_written(tmp_path_factory: pytest.TempPathFactory, rows: list) -> None:
    path = tmp_path_factory.mktemp("rows") / "confused.csv"
    write_records(path, ConfusedClass, rows)
    assert read_csv(ConfusedClass, path) == rows
    assert path.read_text(encoding="utf-8").splitlines()[0] == ",".join(f.name for f in fields(ConfusedClass))


def test_the_table_of_classes_names_them_first(tmp_path: Path) -> None:
    scores = ClassScores(4, 2, 1.0, 0.5, 0.1, 0.9, 0.6667)
    row = ClassRow("ruby", "corundum", 9, **asdict(scores))
    write_records(tmp_path / "per_class.csv", ClassRow, [row])
    assert (tmp_path / "per_class.csv").read_text() == (
        "variety,species,training_photos,images,groups,precision,recall,recall_low,recall_high,f1\n"
        "ruby,corundum,9,4,2,1.0,0.5,0.1,0.9,0.6667\n"
    )
    assert isinstance(row, ClassScores) and row.accuracy == Estimate(0.5, Interval(0.1, 0.9))


@pytest.mark.parametrize("change", [("images", "many"), ("wrong", ""), ("first", None)])
def test_a_table_of_another_form_is_refused(tmp_path: Path, change: tuple[str, str | None]) -> None:
    row = asdict(ConfusedClass("ruby", 3, 0.5, "opal", 0.5, None, None)) | dict([change])
    row = {name: value for name, value in row.items() if (name, value) != ("first", None)}
    path = tmp_path / "confused.csv"
    path.write_text(f"{','.join(row)}\n{','.join(str(cell or '') for cell in row.values())}\n")
    with pytest.raises(InvalidRecord):
        read_csv(ConfusedClass, path)
