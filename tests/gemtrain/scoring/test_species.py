"""Probabilities of species."""

import numpy as np
import pytest

from gemtrain.evaluation.metrics import ranks
from gemtrain.scoring.species import by_species


def test_species_add_up_their_varieties() -> None:
    varieties, species = ["aquamarine", "cats_eye", "emerald"], ["beryl", None, "beryl"]
    labels, probabilities = np.array([0, 1, 2]), np.array([[0.3, 0.4, 0.3], [0.3, 0.4, 0.3], [0.5, 0.4, 0.1]])
    labels_of_species, of_species = by_species(labels, probabilities, varieties, species)
    assert labels_of_species.tolist() == [0, 1, 0]
    assert of_species == pytest.approx(np.array([[0.6, 0.4], [0.6, 0.4], [0.6, 0.4]]))
    assert ranks(labels, probabilities).tolist() == [1, 0, 2]
    assert ranks(labels_of_species, of_species).tolist() == [0, 1, 0]
