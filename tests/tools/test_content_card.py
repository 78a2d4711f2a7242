"""The card says how many pictures of which class, of how many sources, and what is lost."""

from pathlib import Path

import numpy as np

from curation.content.labels import CONTENT_CLASSES, Labelled
from tests.helpers.features import examples_of
from tools.content_card import Share, card


def test_the_card_counts_what_it_was_made_from() -> None:
    examples = examples_of(("cut", "rough", "hand"), sources=5, each=2)
    pictures = [
        Labelled(Path(str(number)), content, "tweezers" if source == "shop 0" else "", source)
        for number, (content, source) in enumerate(zip(examples.content, examples.source, strict=True))
    ]
    probabilities = np.full((30, len(CONTENT_CLASSES)), 0.01)
    probabilities[np.arange(30), examples.labels(CONTENT_CLASSES)] = 0.93
    probabilities[0] = probabilities[-1]  # a stone in tweezers that looks like a hand
    text = card(pictures, examples, probabilities, 7, 0.25, [Share("other stones", 40, 0.05)])
    assert "30 pictures of 5 sources" in text and "7 rendered" in text
    assert "| cut | 10 | 5 | 0.10 |" in text
    assert "| hand | 10 | 5 | 1.00 |" in text
    assert "none 0 of 8, tweezers 1 of 2" in text
    assert "| other stones | 40 | 0.050 |" in text
    assert "{" not in text
