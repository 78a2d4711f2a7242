"""Baselines without a network: a model that is not clearly better is not useful."""

import hashlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gemkit.arrays import Array
from gemkit.executor.base import worker_count
from gemkit.memo import Memo
from gemkit.progress import Progress
from gemtrain.data.dataset import Dataset

_VERSION = 2
_SIZE = 64
_BATCH = 64
_BINS = 8
_TREES, _TREES_A_STEP = 200, 20
_RADII = (1, 2, 4)
_NEIGHBOURS = 8
_LUMA = (0.299, 0.587, 0.114)


class Features(NamedTuple):
    """Features by the `name` that their cache knows them by.

    `describe` takes uint8 images [N, H, W, 3] and returns [N, features] float32.
    """

    name: str
    describe: Callable[[Tensor], Array]


def majority(dataset: Dataset) -> float:
    """Test accuracy of always predicting the class with the most training images, the first of equals.

    Source images are counted, not rows: balancing gives every class the same number of rows.
    """
    train, test = dataset.splits["train"], dataset.splits["test"]
    sources = torch.bincount(train.labels[train.one_row_per_source()])
    return (test.labels == sources.argmax()).float().mean().item()


def colour_histograms(images: Tensor) -> Array:
    """Shares of 8×8×8 RGB bins, [N, 512] float32, of uint8 images [N, H, W, 3]."""
    bins = (images.reshape(len(images), -1, 3) // (256 // _BINS)).to(torch.int64)
    codes = (bins[..., 0] * _BINS + bins[..., 1]) * _BINS + bins[..., 2]
    return _shares(codes.numpy(), _BINS**3)


def local_binary_patterns(images: Tensor) -> Array:
    """Shares of ten textures at each radius of 1, 2 and 4 pixels, [N, 30] float32, of uint8 [N, H, W, 3].

    A pixel's pattern says which of 8 neighbours on a circle (bilinear) are at least as bright. Its code is
    the number of those, 0 to 8, if they form one arc, and 9 otherwise: rotation-invariant uniform patterns.
    Source: Ojala, Pietikäinen and Mäenpää, IEEE Transactions on Pattern Analysis and Machine Intelligence
    24(7), 2002.
    """
    grey = images.numpy().astype(np.float32) @ np.array(_LUMA, np.float32)
    return np.concatenate([_shares(_patterns(grey, radius), _NEIGHBOURS + 2) for radius in _RADII], axis=1)


def _patterns(grey: Array, radius: int) -> Array:
    """The codes of all pixels at least `radius` from the border of [N, H, W]: [N, pixels]."""
    count, height, width = grey.shape
    centre = grey[:, radius : height - radius, radius : width - radius]
    brighter = np.empty((_NEIGHBOURS, *centre.shape), bool)
    for number in range(_NEIGHBOURS):
        angle = 2 * np.pi * number / _NEIGHBOURS
        # Rounded, so that a neighbour at a pixel centre is exactly that pixel.
        y, x = radius + round(-radius * np.sin(angle), 9), radius + round(radius * np.cos(angle), 9)
        value = np.zeros_like(centre)
        for row, row_weight in _neighbouring(y):
            for column, weight in _neighbouring(x):
                part = grey[:, row : row + centre.shape[1], column : column + centre.shape[2]]
                value += np.float32(row_weight * weight) * part
        # Weights that sum to 1 up to rounding must not make an even area look textured.
        brighter[number] = value >= centre - 1e-3
    arcs = (brighter != np.roll(brighter, 1, axis=0)).sum(axis=0)
    codes: Array = np.where(arcs <= 2, brighter.sum(axis=0), _NEIGHBOURS + 1)
    return codes.reshape(count, -1)


def _neighbouring(position: float) -> list[tuple[int, float]]:
    """The pixels on both sides of a position, with their interpolation weights."""
    first = int(position)
    share = position - first
    return [(first, 1 - share)] + ([(first + 1, share)] if share else [])


def _shares(codes: Array, count: int) -> Array:
    """Histograms [N, count] float32 of codes [N, pixels], as shares of the pixels."""
    images, pixels = codes.shape
    places = codes + count * np.arange(images)[:, None]
    counts = np.bincount(places.ravel(), minlength=images * count).reshape(images, count)
    shares: Array = (counts / pixels).astype(np.float32)
    return shares


COLOUR = Features("colour_histograms", colour_histograms)
TEXTURE = Features("local_binary_patterns", local_binary_patterns)
COLOUR_AND_TEXTURE = (COLOUR, TEXTURE)


def forest(dataset: Dataset, seed: int, features: tuple[Features, ...] = COLOUR_AND_TEXTURE) -> Array:
    """Test probabilities [N, classes] float32 of a random forest of 200 trees; cached in `.cache/`.

    It is trained on the same rows as a network, at 64 pixels. Colour and texture are the features that Chow
    and Reyes-Aldasoro, Minerals 12(1), 2022, found to work best on images of gemstones.
    """
    splits = [dataset.splits["train"], dataset.splits["test"]]
    key = hashlib.sha256(" ".join(split.fingerprint for split in splits).encode()).hexdigest()
    settings = [_SIZE, _TREES, seed, [kind.name for kind in features]]
    with Memo("forest", _VERSION, settings, dataset.project.cache) as memo:
        if key not in memo:
            memo.put([(key, {}, _forest(dataset, seed, features).tobytes())])
        stored = memo.get(key)[1] or b""
    return np.frombuffer(stored, np.float32).reshape(-1, len(dataset.varieties))


def _forest(dataset: Dataset, seed: int, features: tuple[Features, ...]) -> Array:
    from sklearn.ensemble import RandomForestClassifier

    train, test = dataset.splits["train"], dataset.splits["test"]
    described = _describe(train.pixels(_SIZE), features)
    model = RandomForestClassifier(n_jobs=worker_count(), random_state=seed, warm_start=True)
    with Progress("random forest", _TREES, unit="trees") as progress:
        for trees in range(_TREES_A_STEP, _TREES + 1, _TREES_A_STEP):
            model.set_params(n_estimators=trees).fit(described, train.labels.numpy())
            progress.advance(_TREES_A_STEP)
    model.set_params(n_jobs=1)  # threads would sum the trees in any order, which changes the last digits
    probabilities: Array = model.predict_proba(_describe(test.pixels(_SIZE), features))
    return probabilities.astype(np.float32)


def _describe(images: Tensor, features: tuple[Features, ...]) -> Array:
    rows = []
    with Progress("features for the forest", len(images)) as progress:
        for batch in torch.split(images, _BATCH):
            rows.append(np.concatenate([kind.describe(batch) for kind in features], axis=1))
            progress.advance(len(batch))
    return np.concatenate(rows)
