"""A head is the same after it was written, and is applied to tables of features."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from curation.content.head import BUILT_IN, Head, head_file, read_head
from curation.content.labels import CONTENT_CLASSES
from curation.content.predict import content_probabilities
from curation.tables import FEATURE_LENGTH, FEATURES
from gemkit.errors import UserError
from gemkit.project import Project


def a_head(classes: tuple[str, ...] = ("cut", "hand"), length: int = FEATURE_LENGTH) -> Head:
    random = np.random.default_rng(0)
    weights = random.normal(size=(length, len(classes))).astype(np.float32)
    return Head(classes, weights, np.zeros(len(classes), np.float32))


def test_a_written_head_is_read_again(tmp_path: Path) -> None:
    head = a_head()
    head.write(tmp_path / "one.npz")
    head.write(tmp_path / "two.npz")
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    found = read_head(tmp_path / "one.npz")
    assert found.classes == head.classes
    np.testing.assert_array_equal(found.weights, head.weights)


def test_what_is_no_head_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "head.npz"
    with pytest.raises(UserError, match="does not exist"):
        read_head(path)
    for content in (b"", b"no head", BUILT_IN.read_bytes()[:-100]):
        path.write_bytes(content)
        with pytest.raises(UserError, match="is not a content head"):
            read_head(path)
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(UserError, match="is not a content head"):
        read_head(path)
    np.savez(path, classes=np.array([{}], object))
    with pytest.raises(UserError, match="is not a content head"):
        read_head(path)
    a_head(length=7).write(path)
    with pytest.raises(UserError, match="other features"):
        read_head(path)


def test_a_project_may_have_its_own_head(tmp_path: Path) -> None:
    project = Project(tmp_path)
    assert head_file(project) == BUILT_IN
    a_head().write(project.content_head)
    assert head_file(project) == project.content_head


def test_probabilities_of_a_table_are_null_without_features() -> None:
    vectors = np.random.default_rng(1).exponential(size=(3, FEATURE_LENGTH)).astype(np.float16)
    rows = [
        {"sha256": "a", "features": vectors[0]},
        {"sha256": "b", "features": None},
        {"sha256": "c", "features": vectors[2]},
    ]
    head = a_head()
    found = content_probabilities(pa.Table.from_pylist(rows, FEATURES), head).to_pylist()
    assert [row["sha256"] for row in found] == ["a", "b", "c"]
    assert found[1]["cut"] is None and found[1]["hand"] is None
    for row, expected in zip((found[0], found[2]), head.probabilities(vectors[[0, 2]]), strict=True):
        assert [row["cut"], row["hand"]] == pytest.approx(expected.tolist(), abs=1e-6)


def test_features_of_nothing_have_probabilities() -> None:
    assert a_head().probabilities(np.zeros((1, FEATURE_LENGTH))).tolist() == [[0.5, 0.5]]


def test_the_built_in_head_knows_the_classes() -> None:
    assert read_head(BUILT_IN).classes == CONTENT_CLASSES
