"""A recipe is one trained model: network, weights, image size, schedule, optimiser, augmentation.

One TOML file in `gemtrain/recipes/` each; `train.recipes.<recipe>` of params.yaml may change single values.
"""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from gemkit.errors import UserError
from gemkit.params import load_params
from gemtrain.settings import from_mapping

RECIPES = Path(__file__).parent / "recipes"


@dataclass(frozen=True)
class Stage:
    """One stage of a schedule.

    `train` says what learns: "all", the whole network; "dense", everything after its convolutions; "head",
    its last layer. What is frozen computes features once, without augmentation. `head_learning_rate` is the
    last layer's own, where given. The rate rises linearly over the first `warmup` share of the stage's steps,
    then stays constant or falls along a cosine.
    `each_photo_once` takes one orientation of every photo, enough where the features hardly depend on it.
    `keep_statistics`: batch normalisation goes on using the means and variances that the network came
    with, as it did for the features that the head was trained on.
    `image_size`: of its training images, where another than the recipe's, in which the network is measured.
    `ema_decay`: measured and kept is the exponential moving average of the weights, and of the statistics of
    batch normalisation, over the stage's steps; after each, this share of it stays.
    """

    epochs: int
    learning_rate: float
    train: Literal["all", "dense", "head"] = "all"
    head_learning_rate: float | None = None
    warmup: float = 0.0
    decay: Literal["constant", "cosine"] = "constant"
    each_photo_once: bool = False
    keep_statistics: bool = False
    image_size: int | None = None
    ema_decay: float | None = None

    def __post_init__(self) -> None:
        _positive("epochs", self.epochs)
        _positive("learning_rate", self.learning_rate)
        if self.head_learning_rate is not None:
            _positive("head_learning_rate", self.head_learning_rate)
        _share("warmup", self.warmup)
        if self.image_size is not None:
            _side("image_size", self.image_size)
        if self.ema_decay is not None:
            _share("ema_decay", self.ema_decay)
            if self.train != "all":
                raise ValueError(f'\'ema_decay\' is for stages that train "all", not "{self.train}"')


@dataclass(frozen=True)
class Augmentation:
    """Changes drawn for every training image anew; colours stay as they are.

    `mirror`: left and right change places in half of the images. `shift`: the largest move either way, as a
    share of the side. `rotate` and `shear`: the largest angle either way, in degrees. `zoom`: the size is
    multiplied with 1 - zoom to 1 + zoom. `crop`: a square is cut out anywhere and enlarged to the whole side;
    the largest share of the side that is cut away.
    """

    mirror: bool = False
    shift: float = 0.0
    rotate: float = 0.0
    zoom: float = 0.0
    shear: float = 0.0
    crop: float = 0.0

    def __post_init__(self) -> None:
        for key in ("shift", "zoom", "crop"):
            _share(key, getattr(self, key))
        for key, most in (("rotate", 180), ("shear", 80)):
            if not 0 <= getattr(self, key) <= most:
                raise ValueError(f"'{key}' must be 0 to {most} degrees (found {getattr(self, key)})")


@dataclass(frozen=True)
class Recipe:
    """A checked recipe: a schedule (`stages`) or, instead of one, a `classifier`.

    `source` is who published it, when and where; `published` the result as it is printed there.
    `channels`: 1 turns images grey, 3 is RGB, 4 takes the band that an image has besides.
    `weights` is "none" (random), "pretrained" (the network's own source) or a path to a weights file.
    `features`, if any, names layers of the whole network, its own last one of 1000 classes included: their
    answers, averaged over each map, side by side are the input of the new last layer. `classifier`: that
    layer is a logistic regression ("linear") or a support vector machine ("svm") on the frozen features.
    `colour_bins`: beside the network an expert on colours learns from a histogram of so many bins a channel
    (`ColourHistogram`); the answer is a mean of both (`ColourHead`).
    `class_weights`: every class counts the same in the loss, however many images it has.
    `weight_decay` is for the kernels, the weights of convolutions and dense layers, alone. With adam and sgd
    (of momentum 0.9) it is added to the gradient, which is that of a loss term: what Keras calls L2 of λ is a
    weight decay of 2 λ. With adamw it shrinks the weights by itself (Loshchilov and Hutter 2019).
    `keep` says which epoch's state is the result: the one of highest validation "accuracy" (then of lowest
    loss), of lowest validation "loss", the "last", or the one where training and validation error are lowest
    and "closest": of the least validation error + |validation error - training error|, the training error as
    measured while learning. `patience`: a stage ends after so many epochs without a better one by `keep`.
    `max_steps` caps the optimiser steps of all stages that train the whole network; each shrinks by the same
    share and keeps its number of epochs, where it has as many steps. Stages on frozen features cost little
    and are not counted.
    `views`: a photo's probabilities are the mean over so many of its orientations: itself and its mirror
    image, in even turns of the circle.
    `cpu_bfloat16`: learn in bfloat16 on a CPU that has it, which is faster for some networks only.
    """

    description: str
    network: str
    image_size: int
    channels: int = 3
    source: str = ""
    published: str = ""
    stages: tuple[Stage, ...] = ()
    features: tuple[str, ...] = ()
    classifier: Literal["linear", "svm"] | None = None
    colour_bins: int | None = None
    weights: str = "none"
    batch_size: int = 32
    optimiser: Literal["adam", "adamw", "sgd"] = "adam"
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    class_weights: bool = False
    augmentation: Augmentation = field(default_factory=Augmentation)
    keep: Literal["accuracy", "loss", "last", "closest"] = "accuracy"
    patience: int | None = None
    max_steps: int | None = None
    views: Literal[1, 2, 4, 8, 16] = 1
    cpu_bfloat16: bool = False

    def __post_init__(self) -> None:
        _side("image_size", self.image_size)
        if self.channels not in (1, 3, 4):
            raise ValueError(f"'channels' must be 1, 3 or 4 (found {self.channels})")
        if bool(self.stages) == bool(self.classifier):
            raise ValueError("a recipe has either 'stages' or a 'classifier'; give one of the two")
        if self.colour_bins is not None:
            if not 2 <= self.colour_bins <= 16:
                raise ValueError(f"'colour_bins' must be 2 to 16 (found {self.colour_bins})")
            if self.classifier:
                raise ValueError("'colour_bins' are for a schedule of 'stages', not for a 'classifier'")
            if self.channels == 1:
                raise ValueError("'colour_bins' needs colours, so 3 or 4 'channels' (found 1)")
        if (self.features or self.colour_bins) and any(stage.train == "dense" for stage in self.stages):
            raise ValueError(
                'stages that train "dense" are for the network\'s own features, not for '
                "'features' or 'colour_bins'"
            )
        _positive("batch_size", self.batch_size)
        _share("label_smoothing", self.label_smoothing)
        if not 0 <= self.weight_decay < float("inf"):
            raise ValueError(f"'weight_decay' must not be negative (found {self.weight_decay})")
        if self.patience is not None:
            _positive("patience", self.patience)
            if self.keep == "last":
                raise ValueError("'patience' needs a 'keep' that compares epochs, so not \"last\"")
        counted = sum(stage.train == "all" for stage in self.stages)
        if self.max_steps is not None and self.max_steps < max(counted, 1):
            raise ValueError(
                f"'max_steps' must be at least {max(counted, 1)}, one a stage (found {self.max_steps})"
            )


def _positive(key: str, value: float) -> None:
    if not 0 < value < float("inf"):
        raise ValueError(f"'{key}' must be positive (found {value})")


def _side(key: str, value: int) -> None:
    if not 8 <= value <= 4096:
        raise ValueError(f"'{key}' must be 8 to 4096 pixels (found {value})")


def _share(key: str, value: float) -> None:
    if not 0 <= value < 1:
        raise ValueError(f"'{key}' must be at least 0 and below 1 (found {value})")


@dataclass(frozen=True)
class TrainSettings:
    """The section `train` of params.yaml."""

    seed: int = 0
    recipes: dict[str, dict[str, Any]] = field(default_factory=dict)


def recipe_names() -> list[str]:
    """The names of all recipes, sorted."""
    return sorted(path.stem for path in RECIPES.glob("*.toml"))


def load_recipe(name: str, changes: dict[str, Any] | None = None, source: str = "params.yaml") -> Recipe:
    """The recipe of that name, with `changes` from `source` put over its own values.

    A mapping (augmentation) is changed key by key, a list (stages) as a whole. Raises UserError.
    """
    if name not in recipe_names():
        raise UserError(f"There is no recipe '{name}'; the recipes are {', '.join(recipe_names())}.")
    path = RECIPES / f"{name}.toml"
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"'{path}' is not valid TOML: {error}.") from None
    own = from_mapping(Recipe, values, f"'{path}'")
    if not changes:
        return own
    merged = {
        key: {**values[key], **change}
        if isinstance(change, dict) and isinstance(values.get(key), dict)
        else change
        for key, change in changes.items()
    }
    return from_mapping(Recipe, {**values, **merged}, f"'{source}'", f"train.recipes.{name}")


def recipe_lines() -> list[str]:
    """What a person wants to know about all recipes, sorted by name: some lines each."""
    lines = []
    for name in recipe_names():
        recipe = load_recipe(name)
        lines.append(f"{name}: {recipe.description} ({recipe.network} at {recipe.image_size} px)")
        for key in ("source", "published"):
            if getattr(recipe, key):
                lines.append(f"    {key}: {getattr(recipe, key)}")
    return lines


def load_settings(params_path: Path, recipe: str) -> tuple[Recipe, int]:
    """The recipe as params.yaml changes it, and the seed. Raises UserError for anything wrong in `train`."""
    section = load_params(params_path).get("train") or {}
    source = f"'{params_path}'"
    plain = (
        {key: value for key, value in section.items() if key != "recipes"}
        if isinstance(section, dict)
        else section
    )
    settings = from_mapping(TrainSettings, plain, source, "train")
    changes = (section.get("recipes") if isinstance(section, dict) else None) or {}
    if not isinstance(changes, dict):
        raise UserError(
            f"{source}: 'train.recipes' must be a mapping of recipes to values (found {changes!r})."
        )
    for name, values in changes.items():
        if name not in recipe_names():
            raise UserError(
                f"{source}: unknown key 'train.recipes.{name}'; the recipes are {', '.join(recipe_names())}."
            )
        if values is not None and not isinstance(values, dict):
            raise UserError(f"{source}: 'train.recipes.{name}' must be a mapping (found {values!r}).")
    return load_recipe(recipe, changes.get(recipe), str(params_path)), settings.seed


@dataclass(frozen=True)
class EvaluateSettings:
    """The section `evaluate` of params.yaml, so far without keys."""


def check_evaluate_section(params_path: Path) -> None:
    """Raise UserError for a key that `evaluate` does not know."""
    from_mapping(
        EvaluateSettings, load_params(params_path).get("evaluate") or {}, f"'{params_path}'", "evaluate"
    )
