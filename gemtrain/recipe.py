"""A recipe is one trained model: network, weights, image size, schedule, optimiser, augmentation.

Each is a TOML file in `gemtrain/recipes/`; `train.recipes.<recipe>` of params.yaml may override single
values.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from gemkit.errors import UserError
from gemkit.params import load_params
from gemtrain.settings import from_mapping

RECIPES = Path(__file__).parent / "recipes"


@dataclass(frozen=True)
class Stage:
    """One stage of a schedule.

    * `train`: what is trained: "all", the whole network; "dense", everything after its convolutions; "head",
      its last layer. The features of the frozen part are computed once, without augmentation.
    * `head_learning_rate`: the last layer's own rate, if given.
    * `warmup`, `decay`: the rate rises linearly over the first `warmup` share of the stage's steps, then
      stays constant or falls along a cosine.
    * `each_photo_once`: train on one orientation of every source image, which is enough where the
      features hardly depend on it.
    * `freeze_batchnorm`: batch normalisation keeps the means and variances that the network came with, as it
      did for the features that the head was trained on.
    * `image_size`: that of the training images, if it differs from the recipe's, at which the network is
      validated.
    * `ema_decay`: the exponential moving average of the weights, and of the batch normalisation statistics,
      over the stage's steps is validated and saved; this share of it remains after each step.
    """

    renamed_keys: ClassVar[Mapping[str, str]] = {"keep_statistics": "freeze_batchnorm"}

    epochs: int
    learning_rate: float
    train: Literal["all", "dense", "head"] = "all"
    head_learning_rate: float | None = None
    warmup: float = 0.0
    decay: Literal["constant", "cosine"] = "constant"
    each_photo_once: bool = False
    freeze_batchnorm: bool = False
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
                raise ValueError(f'\'ema_decay\' needs a stage that trains "all" (found "{self.train}")')


@dataclass(frozen=True)
class Augmentation:
    """Random changes, drawn anew for every training image; colours are not changed.

    * `mirror`: half of the images are flipped left to right.
    * `shift`: the largest move in either direction, as a share of the side.
    * `rotate`, `shear`: the largest angle in either direction, in degrees.
    * `zoom`: the size is multiplied by 1 - zoom to 1 + zoom.
    * `crop`: a square is cut out at a random place and enlarged to the whole side; this is the largest share
      of the side that is cut away.
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

    * `source`: who published it, when and where; `published`: the result stated there.
    * `channels`: 1 converts images to grey, 3 is RGB, 4 adds the fourth band of the image.
    * `weights`: "none" (random), "pretrained" (the network's own source) or a path to a weights file.
    * `features`: layers of the whole network, its own last one of 1000 classes included, whose outputs,
      averaged over each map and concatenated, are the input of the new last layer.
    * `classifier`: the new last layer is a logistic regression ("linear") or a support vector machine ("svm")
      on the frozen features.
    * `colour_bins`: a second expert learns from a colour histogram with this many bins a channel
      (`ColourHistogram`); the output is a mean of both experts (`ColourHead`).
    * `class_weights`: every class counts the same in the loss, however many images it has.
    * `weight_decay`: only of kernels, the weights of convolutions and dense layers. With adam and sgd
      (momentum 0.9) it is added to the gradient, like that of a loss term: an L2 of λ in Keras is a weight
      decay of 2 λ. With adamw it is decoupled from the gradient (Loshchilov and Hutter 2019).
    * `monitor`: selects the epoch whose state is the result: the one of highest validation "accuracy" (then
      of lowest loss), of lowest validation "loss", the "last", or the one where training and validation error
      are lowest and "closest": of the smallest validation error + |validation error - training error|, the
      training error as measured during training.
    * `patience`: a stage ends after this many epochs without a better one by `monitor`.
    * `max_steps`: caps the optimiser steps of all stages that train the whole network; each is shortened by
      the same share and keeps its number of epochs, as long as it has that many steps. Stages on frozen
      features are cheap and are not counted.
    * `tta_views`: the probabilities of an image are the mean over this many of its orientations: the image
      and its mirror image, each in evenly spaced rotations.
    * `bf16_on_cpu`: train in bfloat16 on a CPU that supports it, which is faster only for some networks.
    """

    renamed_keys: ClassVar[Mapping[str, str]] = {
        "keep": "monitor",
        "views": "tta_views",
        "cpu_bfloat16": "bf16_on_cpu",
    }

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
    monitor: Literal["accuracy", "loss", "last", "closest"] = "accuracy"
    patience: int | None = None
    max_steps: int | None = None
    tta_views: Literal[1, 2, 4, 8, 16] = 1
    bf16_on_cpu: bool = False

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
                raise ValueError("'colour_bins' needs a schedule of 'stages', not a 'classifier'")
            if self.channels == 1:
                raise ValueError("'colour_bins' needs colour images: set 'channels' to 3 or 4 (found 1)")
        if (self.features or self.colour_bins) and any(stage.train == "dense" for stage in self.stages):
            raise ValueError(
                'stages that train "dense" need the network\'s own features; leave out '
                "'features' and 'colour_bins'"
            )
        _positive("batch_size", self.batch_size)
        _share("label_smoothing", self.label_smoothing)
        if not 0 <= self.weight_decay < float("inf"):
            raise ValueError(f"'weight_decay' must not be negative (found {self.weight_decay})")
        if self.patience is not None:
            _positive("patience", self.patience)
            if self.monitor == "last":
                raise ValueError("'patience' needs a 'monitor' that compares epochs, so not \"last\"")
        counted = sum(stage.train == "all" for stage in self.stages)
        if self.max_steps is not None and self.max_steps < max(counted, 1):
            raise ValueError(
                f"'max_steps' must be at least {max(counted, 1)}, one for each stage (found {self.max_steps})"
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
    """The recipe of that name, with its values overridden by `changes` from `source`.

    A mapping (augmentation) is overridden key by key, a list (stages) as a whole. Raises UserError.
    """
    if name not in recipe_names():
        raise UserError(f"There is no recipe '{name}'; the recipes are {', '.join(recipe_names())}.")
    path = RECIPES / f"{name}.toml"
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"'{path}' is not valid TOML: {error}.") from None
    unchanged = from_mapping(Recipe, values, f"'{path}'")
    if not changes:
        return unchanged
    merged = {
        key: {**values[key], **change}
        if isinstance(change, dict) and isinstance(values.get(key), dict)
        else change
        for key, change in changes.items()
    }
    return from_mapping(Recipe, {**values, **merged}, f"'{source}'", f"train.recipes.{name}")


def recipe_lines() -> list[str]:
    """The description, source and published result of all recipes, sorted by name."""
    lines = []
    for name in recipe_names():
        recipe = load_recipe(name)
        lines.append(f"{name}: {recipe.description} ({recipe.network} at {recipe.image_size} px)")
        for key in ("source", "published"):
            if getattr(recipe, key):
                lines.append(f"    {key}: {getattr(recipe, key)}")
    return lines


def load_settings(params_path: Path, recipe: str) -> tuple[Recipe, int]:
    """The recipe with the overrides of params.yaml, and the seed. Raises UserError."""
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
    """The section `evaluate` of params.yaml, which has no keys yet."""


def check_evaluate_section(params_path: Path) -> None:
    """Raise UserError for a key that `evaluate` does not know."""
    from_mapping(
        EvaluateSettings, load_params(params_path).get("evaluate") or {}, f"'{params_path}'", "evaluate"
    )
