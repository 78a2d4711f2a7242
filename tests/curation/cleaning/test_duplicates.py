"""Which of several copies is kept, and what the step hands on."""

import numpy as np

from curation.cleaning.duplicates import Comparison, Copies, choose_copies, find_duplicates
from curation.cleaning.image_table import ImageTable
from curation.cleaning.reasons import Finding
from gemkit.arrays import Ints
from gemkit.strict_model import StrictModel
from tests.helpers.synthetic_measurements import synthetic_images


def test_an_image_is_not_dropped_over_a_chain_of_copies() -> None:
    # 0-1-2-3 is a chain, best first. 2 pairs only with 1, itself a copy, so 2 is kept; 3 is its copy.
    pairs = np.array([[0, 1], [1, 2], [2, 3]])
    assert choose_copies(pairs, np.arange(4)).tolist() == [0, 0, 2, 2]


def test_the_best_rank_is_kept() -> None:
    pairs = np.array([[0, 1], [0, 2], [1, 2]])
    assert choose_copies(pairs, np.array([2, 1, 0])).tolist() == [2, 2, 2]


def first_two(images: ImageTable, rows: Ints, settings: StrictModel) -> Copies:
    """Takes the second of the rows for a copy of the first."""
    copies = rows[np.newaxis, :2]
    return Copies(copies, copies, [Finding(int(rows[1]), "a copy", other_sha256=images.sha256[rows[0]])])


def test_each_comparison_sees_the_images_that_remain() -> None:
    images = synthetic_images(*[{}] * 5)
    remaining = np.array([True, True, False, True, True])
    comparisons = [Comparison(name, StrictModel(), first_two) for name in ("one", "other")]
    found = find_duplicates(images, remaining, comparisons)
    assert found.copy_of.tolist() == [0, 0, 2, 0, 4]
    assert found.pairs.tolist() == [[0, 1], [0, 3]]
    assert [(reason.row, reason.rule) for reason in found.reasons] == [(1, "one"), (3, "other")]
    assert found.clusters == [[0, 1, 3], [2], [4]]


def test_without_comparisons_there_are_no_duplicates() -> None:
    found = find_duplicates(synthetic_images({}, {}), np.ones(2, bool), [])
    assert (found.clusters, found.pairs.tolist(), found.reasons) == ([[0], [1]], [], [])


def test_a_copy_of_a_copy_is_in_the_cluster_of_the_kept_image() -> None:
    def last_two(images: ImageTable, rows: Ints, settings: StrictModel) -> Copies:
        copies = rows[np.newaxis, -2:]
        return Copies(copies, copies, [])

    comparisons = [Comparison(name, StrictModel(), last_two) for name in ("one", "other")]
    found = find_duplicates(synthetic_images(*[{}] * 4), np.ones(4, bool), comparisons)
    assert found.copy_of.tolist() == [0, 1, 1, 2]
    assert found.clusters == [[0], [1, 2, 3]]
