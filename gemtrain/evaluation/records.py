"""The results of an evaluation as records: its metrics file, and the rows of its tables."""

from dataclasses import asdict, dataclass
from typing import Any

from gemkit.records import STRICT, from_json
from gemkit.stats.confidence_intervals import Estimate, Interval
from gemtrain.scoring.rounding import rounded


@dataclass(frozen=True)
class EvaluatedSplit:
    """The images that a model was evaluated on."""

    name: str
    version: str
    split: str


@dataclass(frozen=True)
class ModelFacts:
    """The evaluated model: `weights` as in its recipe, `image_size` in pixels, the number of `parameters`."""

    network: str
    weights: str
    image_size: int
    parameters: int


@dataclass(frozen=True)
class CalibrationScores:
    """The temperature, and scores as in `gemkit.stats.calibration` with it and without it (`_before`).

    The temperature is 1 if the validation images had too few errors to fit one.
    """

    temperature: float
    ece: float
    ece_before: float
    nll: float
    nll_before: float
    brier: float
    brier_before: float

    @property
    def is_fitted(self) -> bool:
        """Whether a temperature was fitted, so that the confidences are calibrated."""
        return self.temperature != 1


@dataclass(frozen=True)
class Acceptance:
    """The share of images of at least the confidence `threshold`, and the accuracy on them; None if none."""

    threshold: float | None
    accepted: float
    accuracy_of_accepted: float | None


@dataclass(frozen=True)
class Baselines:
    """Top-1 of the baselines; `over_forest`: the model's top-1 minus that of the random forest."""

    majority: float
    forest: float
    over_forest: float
    below_forest: bool


@dataclass(frozen=True)
class Intervals:
    """95 % intervals of scores, by bootstrap over groups."""

    top1: Interval
    top3: Interval
    top5: Interval
    species_top1: Interval
    macro_precision: Interval
    macro_recall: Interval
    macro_f1: Interval
    forest: Interval
    over_forest: Interval


@dataclass(frozen=True)
class Metrics:
    """metrics/<dataset>/<recipe>.json: the scores of a model on the test split, shares from 0 to 1.

    `classes` and `species` are numbers of them, `blind_spots` the classes with a recall below 0.2.
    """

    __pydantic_config__ = STRICT

    dataset: EvaluatedSplit
    model: ModelFacts
    top1: float
    top3: float
    top5: float
    macro_precision: float
    macro_recall: float
    macro_f1: float
    species_top1: float
    test_images: int
    test_groups: int
    classes: int
    species: int
    calibration: CalibrationScores
    confidence: Acceptance
    baselines: Baselines
    intervals: Intervals
    blind_spots: tuple[str, ...]

    @property
    def top(self) -> dict[int, Estimate]:
        """Top-k accuracy, by k."""
        return {
            1: Estimate(self.top1, self.intervals.top1),
            3: Estimate(self.top3, self.intervals.top3),
            5: Estimate(self.top5, self.intervals.top5),
        }

    @property
    def top1_of_species(self) -> Estimate:
        """Top-1 accuracy of the species."""
        return Estimate(self.species_top1, self.intervals.species_top1)

    @property
    def f1(self) -> Estimate:
        """F1, averaged over the classes."""
        return Estimate(self.macro_f1, self.intervals.macro_f1)

    @property
    def forest(self) -> Estimate:
        """Top-1 accuracy of the random forest."""
        return Estimate(self.baselines.forest, self.intervals.forest)

    @property
    def under_forest(self) -> Estimate:
        """The lead of the random forest in top-1 accuracy."""
        low, high = self.intervals.over_forest
        return Estimate(-self.baselines.over_forest, Interval(-high, -low))

    def to_json(self) -> dict[str, Any]:
        """The content of the file, of JSON's types, numbers with four decimals."""
        content: dict[str, Any] = rounded(asdict(self))
        return content

    @classmethod
    def from_json(cls, content: object) -> "Metrics":
        """The metrics in the parsed file. Raises InvalidRecord."""
        return from_json(cls, content)


@dataclass(frozen=True)
class ClassScores:
    """A class's test images and their groups, precision, recall with the ends of its interval, and F1."""

    images: int
    groups: int
    precision: float
    recall: float
    recall_low: float
    recall_high: float
    f1: float


@dataclass(frozen=True)
class TrainedClass:
    """The names of a class, and the number of its source images in training."""

    variety: str
    species: str | None
    training_photos: int


@dataclass(frozen=True)
class ClassRow(ClassScores, TrainedClass):  # a dataclass takes fields from its last base first
    """A row of per_class.csv: a class and its scores."""

    @property
    def accuracy(self) -> Estimate:
        """The recall with its interval."""
        return Estimate(self.recall, Interval(self.recall_low, self.recall_high))


@dataclass(frozen=True)
class ConfusedClass:
    """A row of confused.csv: a class, and the classes that its images are most often mistaken for.

    `wrong`, `first_share` and `second_share` are shares of its images; None if there is no second class.
    """

    variety: str
    images: int
    wrong: float
    first: str
    first_share: float
    second: str | None
    second_share: float | None


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` found out about the model of a recipe; `confused` holds the worst classes first."""

    recipe: str
    metrics: Metrics
    confused: list[ConfusedClass]


@dataclass(frozen=True)
class PredictedClass:
    """A row of confusion.csv: one test image."""

    actual: str
    predicted: str


@dataclass(frozen=True)
class CurvePoint:
    """A row of curves.csv: one epoch; accuracy and loss on validation images, and on training images."""

    epoch: int
    stage: int
    accuracy: float
    loss: float
    train_accuracy: float
    train_loss: float
