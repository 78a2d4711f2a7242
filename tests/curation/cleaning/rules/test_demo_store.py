"""Precision and recall of the rules on a sample of the demo store."""

import pytest

from benchmarks.curation.cleaning import choose_cases, score_cases, score_labels
from curation.cleaning.params import read_clean
from curation.taxonomy.taxonomy import read_taxonomy
from gemkit.project import Project
from scraper.demo_store.catalogue import build
from tests.helpers.commands import ROOT


@pytest.mark.heavy
@pytest.mark.parametrize(("cases", "stones"), [(2, 6), pytest.param(6, 18, marks=pytest.mark.slow)])
def test_precision_and_recall_on_the_demo_store(home: Project, cases: int, stones: int) -> None:
    settings = read_clean(ROOT / "params.yaml")
    taxonomy = read_taxonomy(settings.taxonomy_file(Project(ROOT)), settings.merge)
    catalogue = build(11, 0.2, dirt=3)
    result = score_cases(home, catalogue, choose_cases(catalogue, cases, stones), settings, taxonomy)
    labels, right, everything = score_labels(taxonomy, build(11, 4, dirt=0.01))
    for score in [*result.scores, labels]:
        assert score.cases >= cases, score
        assert score.precision >= 0.8, score
        assert score.recall >= 0.65, score
    assert len(result.lost) <= 0.02 * result.good, result.lost
    assert right == everything
