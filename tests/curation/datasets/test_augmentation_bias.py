"""Images do not reveal how common their class is: two classes of the same stones, one with fewer images."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from curation.cropping.params import CropParams
from curation.datasets.balance import balance
from curation.datasets.params import DatasetParams
from curation.imaging.centre_crop import cut_centre, stored_side
from gemkit.image_codec import decode, decode_rgb
from gemkit.project import Project
from scraper.demo_store.catalogue import build
from tests.helpers.project import SCALE, SEED
from tests.helpers.stored_crops import Crop, dataset_rows, write_crops

SIZE = 64
BOTH = DatasetParams(target=300, minimum=300)


def images_of_stones(rendered: Path) -> dict[str, list[np.ndarray]]:
    """The demo store's stones with several photos: the centre of each photo, at the size of a stored crop."""
    stones: dict[str, list[np.ndarray]] = {}
    for photo in build(SEED, SCALE).photos:
        if photo.usable and photo.kind == "stone":
            file = next(rendered.glob(f"demo_store/*/{photo.path[1:]}"))
            pixels = decode(file.read_bytes()).pixels
            square = cut_centre_square(pixels)
            side = stored_side(SIZE)
            small = cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA)
            stones.setdefault(str(photo.stone), []).append(small)
    return {stone: images for stone, images in stones.items() if len(images) > 1}


def cut_centre_square(pixels: np.ndarray) -> np.ndarray:
    side = min(pixels.shape[:2])
    top, left = ((length - side) // 2 for length in pixels.shape[:2])
    return pixels[top : top + side, left : left + side]


class TrainingImages:
    """The training images of the two classes: their pixels, which are of the rare class, and their stones."""

    def __init__(self, rows: list[dict]):
        self.rows = rows
        self.pixels = np.stack([decode_rgb(row["image"]["bytes"]) for row in rows])
        self.rare = np.array([row["variety"] == "rare" for row in rows])
        self.stones = np.array([row["group_id"] for row in rows])

    def accuracy_bound(
        self, features: Callable[[np.ndarray], list[float]], change: Callable | None = None
    ) -> float:
        """Lower bound (99.9 %) of a forest's accuracy in telling the rare class, on unseen stones.

        `change` is applied to the images of the rare class first.
        """
        pixels = [
            change(image, row) if change and row["variety"] == "rare" else image
            for image, row in zip(self.pixels, self.rows, strict=True)
        ]
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.model_selection import GroupKFold, cross_val_predict

        forest = RandomForestClassifier(25, min_samples_leaf=5, random_state=0)
        x = np.array([features(image) for image in pixels])
        correct = cross_val_predict(forest, x, self.rare, groups=self.stones, cv=GroupKFold(4)) == self.rare
        of_stones = []
        for stone in np.unique(self.stones):
            here = self.stones == stone
            of_stones.append((correct[here & self.rare].mean() + correct[here & ~self.rare].mean()) / 2)
        error = np.std(of_stones, ddof=1) / len(of_stones) ** 0.5
        return float(np.mean(of_stones) - 3.1 * error)


@pytest.fixture(scope="module")
def training_images(tmp_path_factory: pytest.TempPathFactory, rendered: Path) -> TrainingImages:
    """All images of some stones form one class, one image of each forms the other."""
    crops: list[Crop] = []
    for number, (stone, images) in enumerate(images_of_stones(rendered).items()):
        crops += [("common", stone, "train", image) for image in images]
        crops.append(("rare", stone, "train", images[number % len(images)]))
    splits = ("validation", "test")
    crops += [(name, split, split, crops[0][3]) for name in ("common", "rare") for split in splits]
    with pytest.MonkeyPatch.context() as patch:
        project = Project(tmp_path_factory.mktemp("stones"))
        patch.setattr("curation.datasets.balance.map_shards", map)
        write_crops(project, crops)
        balance(project, "both", BOTH, crop=CropParams(size=SIZE))
        return TrainingImages(dataset_rows(project, "both")["train"])


def corners(image: np.ndarray) -> list[float]:
    """Mean, minimum and deviation of the four corners, per channel."""
    found: list[float] = []
    for rows in (slice(0, 5), slice(-5, None)):
        for columns in (slice(0, 5), slice(-5, None)):
            patch = image[rows, columns].reshape(-1, 3)
            found += [*patch.mean(axis=0), *patch.min(axis=0), *patch.std(axis=0)]
    return found


def sharpness(image: np.ndarray) -> list[float]:
    """Strength of fine detail relative to coarser detail, in pixels and in frequencies."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float64)
    power = np.abs(np.fft.fft2(grey * np.outer(np.hanning(SIZE), np.hanning(SIZE)))) ** 2
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(SIZE), np.fft.fftfreq(SIZE)))
    bands = [power[(frequency > low) & (frequency <= low + 0.1)].sum() for low in (0.1, 0.2, 0.3, 0.4)]
    fine, coarse = cv2.Laplacian(grey, cv2.CV_64F).var(), cv2.Laplacian(cv2.pyrDown(grey), cv2.CV_64F).var()
    return [*np.log(np.add(bands, 1)), np.log(fine + 1), np.log((fine + 1) / (coarse + 1))]


def black_corners(image: np.ndarray, row: dict) -> np.ndarray:
    """An image as the published method rotates it: the visible square itself, with black corners."""
    if row["rotation"] % 90 == 0:
        return image
    y, x = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    return np.where((np.abs(x) + np.abs(y) > SIZE / 2**0.5)[..., None], 0, image).astype(np.uint8)


def resampled(image: np.ndarray, row: dict) -> np.ndarray:
    """An image that was shrunk by a tenth and enlarged again."""
    small = cv2.resize(image, None, fx=0.9, fy=0.9, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)


@pytest.mark.parametrize(("features", "mistake"), [(corners, black_corners), (sharpness, resampled)])
def test_neither_corners_nor_scale_reveal_the_rare_class(
    training_images: TrainingImages, features: Callable, mistake: Callable
) -> None:
    assert training_images.rare.mean() == 0.5 and len(training_images.rows) == 600
    assert training_images.accuracy_bound(features) < 0.5
    assert training_images.accuracy_bound(features, mistake) > 0.5, "the test cannot detect this mistake"


def test_colours_are_unchanged(training_images: TrainingImages, rendered: Path) -> None:
    """The radially weighted mean colour of an image equals that of its source image."""
    y, x = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    weight = np.clip(1 - np.hypot(x, y) / (SIZE / 2), 0, None)[..., None]
    untouched: dict[str, list[np.ndarray]] = {}
    for stone, images in images_of_stones(rendered).items():
        centres = [cut_centre(image, SIZE) for image in images]
        untouched[stone] = [(centre * weight).sum(axis=(0, 1)) / weight.sum() for centre in centres]
    orientations = set()
    for image, row in zip(training_images.pixels, training_images.rows, strict=True):
        colour = (image * weight).sum(axis=(0, 1)) / weight.sum()
        known = untouched[row["group_id"]]
        assert min(np.abs(colour - each).max() for each in known) < 0.5
        if all(np.abs(each[0] - each[2]) > 5 for each in known):
            assert min(np.abs(colour[::-1] - each).max() for each in known) > 5, "red and blue are swapped"
            orientations.add((row["rotation"], row["mirrored"]))
    assert len(orientations) == 16
