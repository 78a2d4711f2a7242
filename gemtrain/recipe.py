"""A recipe is one trained model: network, weights, image size, schedule, optimiser, augmentation.

Each is a TOML file in `gemtrain/recipes/`; `train.recipes.<recipe>` of params.yaml may override single
values. The models describe their fields, which `gemtrain recipes --explain` prints.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, ConfigDict, Field, PrivateAttr, model_validator
from pydantic_core import PydanticKnownError

from gemkit.errors import UserError, did_you_mean
from gemkit.params import load_params, validate_section
from gemkit.strict_model import StrictModel
from gemkit.validation import validate

RECIPES = Path(__file__).parent / "recipes"


def _integer(value: object) -> object:
    if type(value) is not int:  # pydantic takes true and 1.0 for the literal 1
        raise PydanticKnownError("int_type")
    return value


Share = Annotated[float, Field(ge=0, lt=1)]


class _Settings(StrictModel):
    """Values have the type of their field; only an integer may stand for a float."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)


class Stage(_Settings):
    """One stage of a schedule."""

    renamed_keys: ClassVar = {"keep_statistics": "freeze_batchnorm"}

    epochs: int = Field(ge=1, description="Passes over the training images.")
    learning_rate: float = Field(gt=0, description="The highest learning rate of the stage.")
    train: Literal["all", "dense", "head"] = Field(
        default="all",
        description="The part that is trained: the whole network (all), everything after its convolutions "
        "(dense) or its last layer (head). The features of the frozen part are computed once, without "
        "augmentation.",
    )
    head_learning_rate: float | None = Field(
        default=None, gt=0, description="The last layer's own learning rate."
    )
    warmup: Share = Field(
        default=0.0, description="The share of the stage's steps in which the learning rate rises linearly."
    )
    decay: Literal["constant", "cosine"] = Field(
        default="constant",
        description="The learning rate after the warmup: constant, or falling along a cosine.",
    )
    each_photo_once: bool = Field(
        default=False,
        description="Train on one orientation of every source image, which is enough where the features "
        "hardly depend on it.",
    )
    freeze_batchnorm: bool = Field(
        default=False,
        description="Batch normalisation keeps the means and variances that the network came with, as it did "
        "for the features that the head was trained on.",
    )
    image_size: int | None = Field(
        default=None,
        ge=8,
        le=4096,
        description="The side of the training images in pixels, if it differs from the recipe's, at which "
        "the network is validated.",
    )
    ema_decay: float | None = Field(
        default=None,
        ge=0,
        lt=1,
        description="Validate and save the exponential moving average of the weights, and of the batch "
        "normalisation statistics, over the stage's steps; this share of it remains after each step.",
    )

    @model_validator(mode="after")
    def _average_only_the_whole_network(self) -> "Stage":
        if self.ema_decay is not None and self.train != "all":
            raise ValueError(f'\'ema_decay\' needs a stage that trains "all" (found "{self.train}")')
        return self


class Augmentation(_Settings):
    """Random changes, drawn anew for every training image; colours are not changed."""

    mirror: bool = Field(default=False, description="Flip half of the images left to right.")
    shift: Share = Field(
        default=0.0, description="The largest move in either direction, as a share of the side."
    )
    rotate: float = Field(
        default=0.0, ge=0, le=180, description="The largest rotation in either direction, in degrees."
    )
    zoom: Share = Field(default=0.0, description="The size is multiplied by 1 - zoom to 1 + zoom.")
    shear: float = Field(
        default=0.0, ge=0, le=80, description="The largest shear in either direction, in degrees."
    )
    crop: Share = Field(
        default=0.0,
        description="Cut out a square at a random place and enlarge it to the whole side; this is the "
        "largest share of the side that is cut away.",
    )


class Recipe(_Settings):
    """A schedule (`stages`) or, instead of one, a `classifier`.

    The name of a recipe is not one of its values; `named` gives it another one.
    """

    _name: str = PrivateAttr("")

    renamed_keys: ClassVar = {"keep": "monitor", "views": "tta_views", "cpu_bfloat16": "bf16_on_cpu"}

    description: str = Field(description="The recipe in one line.")
    network: str = Field(description="A network of gemtrain, or any of timm by its name there.")
    image_size: int = Field(ge=8, le=4096, description="The side of the images in pixels.")
    channels: Annotated[Literal[1, 3, 4], BeforeValidator(_integer)] = Field(
        default=3, description="1 converts images to grey, 3 is RGB, 4 adds the fourth band of the image."
    )
    source: str = Field(default="", description="Who published the recipe, when and where.")
    published: str = Field(default="", description="The result stated there.")
    stages: tuple[Stage, ...] = Field(
        default=(), strict=False, description="The schedule. A recipe has either stages or a classifier."
    )
    features: tuple[str, ...] = Field(
        default=(),
        strict=False,
        description="Layers of the whole network, its own last one of 1000 classes included, whose outputs, "
        "averaged over each map and concatenated, are the input of the new last layer.",
    )
    classifier: Literal["linear", "svm"] | None = Field(
        default=None,
        description="Instead of stages: the new last layer is a logistic regression (linear) or a support "
        "vector machine (svm) on the frozen features.",
    )
    colour_bins: int | None = Field(
        default=None,
        ge=2,
        le=16,
        description="A second expert learns from a colour histogram with this many bins a channel; the "
        "output is a mean of both experts.",
    )
    weights: str = Field(
        default="none",
        description="The initial weights: none (random), pretrained (the network's own source) or a path to "
        "a weights file.",
    )
    batch_size: int = Field(default=32, ge=1, description="Images a step.")
    optimiser: Literal["adam", "adamw", "sgd"] = Field(
        default="adam", description="Adam, AdamW, or stochastic gradient descent with momentum 0.9."
    )
    weight_decay: float = Field(
        default=0.0,
        ge=0,
        description="Only of kernels, the weights of convolutions and dense layers. With adam and sgd it is "
        "added to the gradient, like that of a loss term: an L2 of λ in Keras is a weight decay of 2 λ. With "
        "adamw it is decoupled from the gradient (Loshchilov and Hutter 2019).",
    )
    label_smoothing: Share = Field(
        default=0.0, description="The share of the target probability that is spread evenly over all classes."
    )
    class_weights: bool = Field(
        default=False, description="Every class counts the same in the loss, however many images it has."
    )
    augmentation: Augmentation = Field(
        default=Augmentation(), description="Random changes of the training images; colours are not changed."
    )
    monitor: Literal["accuracy", "loss", "last", "closest"] = Field(
        default="accuracy",
        description="Selects the epoch whose state is the result: the one of highest validation accuracy "
        "(then of lowest loss), of lowest validation loss, the last, or the one where training and "
        "validation error are lowest and closest: of the smallest validation error + |validation error - "
        "training error|, the training error as measured during training.",
    )
    patience: int | None = Field(
        default=None,
        ge=1,
        description="A stage ends after this many epochs without a better one by the monitor.",
    )
    max_steps: int | None = Field(
        default=None,
        ge=1,
        description="Caps the optimiser steps of all stages that train the whole network; each is shortened "
        "by the same share and keeps its number of epochs, as long as it has that many steps. Stages on "
        "frozen features are cheap and are not counted.",
    )
    tta_views: Annotated[Literal[1, 2, 4, 8, 16], BeforeValidator(_integer)] = Field(
        default=1,
        description="The probabilities of an image are the mean over this many of its orientations: the "
        "image and its mirror image, each in evenly spaced rotations.",
    )
    bf16_on_cpu: bool = Field(
        default=False,
        description="Train in bfloat16 on a CPU that supports it, which is faster only for some networks.",
    )

    @model_validator(mode="after")
    def _check_combinations(self) -> "Recipe":
        if bool(self.stages) == bool(self.classifier):
            raise ValueError("a recipe has either 'stages' or a 'classifier'; give one of the two")
        if self.colour_bins is not None:
            if self.classifier:
                raise ValueError("'colour_bins' needs a schedule of 'stages', not a 'classifier'")
            if self.channels == 1:
                raise ValueError("'colour_bins' needs colour images: set 'channels' to 3 or 4 (found 1)")
        if (self.features or self.colour_bins) and any(stage.train == "dense" for stage in self.stages):
            raise ValueError(
                'stages that train "dense" need the network\'s own features; leave out '
                "'features' and 'colour_bins'"
            )
        if self.patience is not None and self.monitor == "last":
            raise ValueError("'patience' needs a 'monitor' that compares epochs, so not \"last\"")
        counted = sum(stage.train == "all" for stage in self.stages)
        if self.max_steps is not None and self.max_steps < counted:
            raise ValueError(
                f"'max_steps' must be at least {counted}, one for each stage (found {self.max_steps})"
            )
        return self

    @property
    def name(self) -> str:
        """The name of its models, in `models/<dataset>/<name>`. Raises UserError if it has none."""
        if not self._name:
            raise UserError('The recipe has no name for its models; give it one with recipe.named("NAME").')
        return self._name

    def named(self, name: str) -> "Recipe":
        """A copy whose models have another name. Raises UserError for one that is not a folder's."""
        if Path(name).name != name or name in ("", ".."):
            raise UserError(f"'{name}' cannot name the folder of a model; use letters, digits, '-' and '_'.")
        copy = self.model_copy()
        copy._name = name
        return copy

    def replace(self, **changes: Any) -> "Recipe":
        """A copy of the same name with other values for some keys, validated."""
        copy = super().replace(**changes)
        copy._name = self._name
        return copy


class TrainSettings(_Settings):
    """The section `train` of params.yaml."""

    seed: int = Field(
        default=0, description="Of the initial weights, the order of the images and their changes."
    )
    recipes: dict[str, dict[str, Any] | None] | None = Field(
        default=None, description="By recipe: values that override the recipe's own."
    )


class EvaluateSettings(_Settings):
    """The section `evaluate` of params.yaml, which has no keys yet."""


def recipe_names() -> list[str]:
    """The names of all recipes, sorted."""
    return sorted(path.stem for path in RECIPES.glob("*.toml"))


def load_recipe(name: str, changes: Mapping[str, Any] | None = None) -> Recipe:
    """The recipe of that name, with some of its values changed.

    A mapping (augmentation) is changed key by key, a list (stages) as a whole. Raises UserError.
    """
    return _load(name, changes or {}, f"changes of {name}")


def load_settings(params_path: Path, recipe: str) -> tuple[Recipe, int]:
    """The recipe with the overrides of a parameter file, and the seed. Raises UserError."""
    settings: TrainSettings = validate_section(params_path, load_params(params_path), "train", TrainSettings)
    overrides = settings.recipes or {}
    for name in overrides:
        if name not in recipe_names():
            raise UserError(f"'{params_path}': unknown key 'train.recipes.{name}'{_did_you_mean(name)}.")
    changed = _load(recipe, overrides.get(recipe) or {}, params_path, f"train.recipes.{recipe}")
    return changed, settings.seed


def _load(name: str, changes: Mapping[str, Any], source: Path | str, key: str = "") -> Recipe:
    """The recipe of that name, with changes from the key `key` of `source`."""
    if name not in recipe_names():
        raise UserError(f"There is no recipe '{name}'{_did_you_mean(name)}.")
    path = RECIPES / f"{name}.toml"
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"'{path}' is not valid TOML: {error}.") from None
    recipe = _validated(values, path)
    if changes:
        merged = {
            key: {**values[key], **change}
            if isinstance(change, Mapping) and isinstance(values.get(key), dict)
            else change
            for key, change in changes.items()
        }
        recipe = _validated({**values, **merged}, source, key)
    return recipe.named(name)


def _validated(values: dict[str, Any], source: Path | str, key: str = "") -> Recipe:
    if values.get("features") == []:  # a model.json may say so of a recipe without the key
        raise UserError(
            f"'{source}': '{key}{'.' if key else ''}features' is empty; name a layer or leave out the key."
        )
    return validate(Recipe, values, source, key)


def _did_you_mean(name: str) -> str:
    return did_you_mean(name, "recipes", recipe_names())


def check_evaluate_section(params_path: Path) -> None:
    """Raise UserError for a key that `evaluate` does not know."""
    validate_section(params_path, load_params(params_path), "evaluate", EvaluateSettings)
