"""What can be had without a network: a model that is not clearly better has learnt nothing of stones."""

import hashlib

import numpy as np
import torch
from torch import Tensor

from gemkit.memo import Memo
from gemkit.parallel import worker_count
from gemtrain.data import Dataset

_VERSION = 1
_SIZE = 64
_BINS = 8
_TREES = 200


def majority(dataset: Dataset) -> float:
    """Test accuracy of always answering the class with most training photos; of equals the first.

    Photos are counted, not rows: balancing makes every class the same number of rows.
    """
    train, test = dataset.splits["train"], dataset.splits["test"]
    photos = torch.bincount(train.labels[train.one_row_a_photo()])
    return (test.labels == photos.argmax()).float().mean().item()


def colour_forest(dataset: Dataset, seed: int) -> float:
    """Test accuracy of a random forest on RGB histograms of 8×8×8 bins; memoised in `.cache/`."""
    splits = [dataset.splits["train"], dataset.splits["test"]]
    key = hashlib.sha256(" ".join(split.fingerprint for split in splits).encode()).hexdigest()
    with Memo("colour_forest", _VERSION, [_SIZE, _BINS, _TREES, seed]) as memo:
        if key not in memo:
            memo.put([(key, {"accuracy": _fit_and_measure(dataset, seed)}, None)])
        return memo.get(key)[0]["accuracy"]


def _fit_and_measure(dataset: Dataset, seed: int) -> float:
    from sklearn.ensemble import RandomForestClassifier

    train, test = dataset.splits["train"], dataset.splits["test"]
    forest = RandomForestClassifier(_TREES, n_jobs=worker_count(), random_state=seed)
    forest.fit(colour_histograms(train.pixels(_SIZE)), train.labels.numpy())
    return float(forest.score(colour_histograms(test.pixels(_SIZE)), test.labels.numpy()))


def colour_histograms(images: Tensor) -> np.ndarray:
    """Shares of 8×8×8 RGB bins, [N, 512] float32, of uint8 images [N, H, W, 3]."""
    histograms = np.empty((len(images), _BINS**3), np.float32)
    for row, image in enumerate(images):
        bins = (image.reshape(-1, 3) // (256 // _BINS)).to(torch.int64)
        codes = (bins[:, 0] * _BINS + bins[:, 1]) * _BINS + bins[:, 2]
        histograms[row] = torch.bincount(codes, minlength=_BINS**3).numpy() / len(codes)
    return histograms
