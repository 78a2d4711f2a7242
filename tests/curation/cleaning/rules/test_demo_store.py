"""Precision and recall of the rules on a sample of the demo store."""

from pathlib import Path

import pytest

from benchmarks.curation.cleaning import choose_cases, score_cases, score_labels
from curation.taxonomy.taxonomy import read_taxonomy
from scraper.demo_store.catalogue import build
from tests.helpers.commands import ROOT


@pytest.mark.heavy
def test_precision_and_recall_on_the_demo_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    taxonomy = read_taxonomy(ROOT / "labels/taxonomy.toml", ["sapphire", "blue_topaz"])
    catalogue = build(11, 0.2, dirt=3)
    result = score_cases(catalogue, choose_cases(catalogue, 6, 18), ROOT / "params.yaml", taxonomy)
    labels, right, everything = score_labels(taxonomy, build(11, 4, dirt=0.01))
    for score in [*result.scores, labels]:
        assert score.cases >= 6, score
        assert score.precision >= 0.8, score
        assert score.recall >= 0.65, score
    assert len(result.lost) <= 0.02 * result.good, result.lost
    assert right == everything
