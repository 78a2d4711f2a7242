"""The sections of `params.yaml` that `gemcurate` reads, checked with pydantic."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt, model_validator

from gemkit.executor.base import Limits
from gemkit.params import load_params, validate_section
from gemkit.strict_model import StrictModel


class ItemLimits(StrictModel):
    """Time and memory that one image may take in a stage before it is given up.

    The limits change no result, so no stage of dvc.yaml depends on them.
    """

    seconds: Annotated[float, Field(gt=0)] = 60
    memory_mb: Annotated[int, Field(ge=512)] = 2048


class LimitParams(StrictModel):
    measure: ItemLimits = ItemLimits()
    crop: ItemLimits = ItemLimits()


def _moved(stage: str) -> dict[str, str]:
    return {key: f"limits.{stage}.{key}" for key in ItemLimits.model_fields}


class MeasureParams(StrictModel):
    """Settings of the text search.

    `text_side`: longer side of the image in which text is searched, pixels; `stroke_density`: minimum share
    of thin strokes in a word-sized window for text to be searched at all.
    """

    renamed_keys = _moved("measure") | {"text_look": "stroke_density"}

    text_side: Annotated[int, Field(ge=64, le=2048)] = 448
    stroke_density: Annotated[float, Field(ge=0, le=1)] = 0.4


class CleanParams(StrictModel):
    """`merge` names varieties that absorb all narrower ones (sapphire: blue, pink and yellow sapphire).

    `rules` maps a rule's name to its settings, or to false to switch it off; `curation.cleaning.rules`
    validates both.
    """

    taxonomy: Path = Path("labels/taxonomy.toml")
    decisions: Path = Path("labels/decisions.csv")
    merge: tuple[str, ...] = ()
    rules: dict[str, dict[str, Any] | Literal[False] | None] = Field(default_factory=dict)


class CropParams(StrictModel):
    """`removal`: how the stone's mask is found: by the background's colour (`classical`), by the network
    `model` (`rembg`), or `auto`: classical if the background is uniform and the mask passes its check, else
    by the network.

    `background`: the background of the crop; `stones`: crop the largest stone, or all in one square; `size`:
    side of the visible square, pixels; `margin`: on each side, as a share of the stone's longer side.
    """

    renamed_keys = _moved("crop")

    removal: Literal["auto", "classical", "rembg"] = "auto"
    model: str = "u2netp"
    background: Literal["black", "white", "transparent", "kept"] = "black"
    stones: Literal["largest", "all"] = "largest"
    size: Annotated[int, Field(ge=16, le=2048)]
    margin: Annotated[float, Field(ge=0, le=1)] = 0.06


class SplitParams(StrictModel):
    validation: Annotated[float, Field(ge=0, lt=1)] = 0.15
    test: Annotated[float, Field(ge=0, lt=1)] = 0.15
    folds: Annotated[int, Field(ge=2, le=20)] = 5
    seed: int = 0

    @model_validator(mode="after")
    def _leave_some_for_training(self) -> "SplitParams":
        if self.validation + self.test >= 1:
            raise ValueError("validation and test together must be less than 1")
        return self


class DatasetParams(StrictModel):
    """One dataset. `plain` uses the images unchanged; `balanced` needs `target` and `minimum`."""

    kind: Literal["balanced", "plain"] = "balanced"
    target: PositiveInt | None = None
    minimum: PositiveInt | None = None

    @model_validator(mode="after")
    def _only_balanced_has_a_target(self) -> "DatasetParams":
        given = [name for name in ("target", "minimum") if getattr(self, name) is not None]
        if self.kind == "plain" and given:
            raise ValueError(f"a plain dataset has no {given[0]}")
        if self.kind == "balanced" and len(given) < 2:
            raise ValueError("a balanced dataset needs target and minimum")
        if self.target is not None and self.minimum is not None and self.minimum > self.target:
            raise ValueError("minimum must not be more than target")
        return self


class BalanceParams(StrictModel):
    orientations: Literal[1, 2, 4, 8, 16] = 16
    datasets: dict[str, DatasetParams] = Field(default_factory=dict)


def read_sites(path: Path) -> list[str]:
    """The sites whose images are used, sorted. Raises UserError when there are none."""
    from gemkit.errors import UserError

    sites = load_params(path).get("sites") or []
    if not sites:
        raise UserError(f"'{path}': 'sites' is empty; name at least one site.")
    return sorted(set(sites))


def read_measure(path: Path) -> MeasureParams:
    return _read(path, "measure", MeasureParams)


def read_clean(path: Path) -> CleanParams:
    return _read(path, "clean", CleanParams)


def read_crop(path: Path) -> CropParams:
    return _read(path, "crop", CropParams)


def read_limits(path: Path, stage: Literal["measure", "crop"]) -> Limits:
    """The limits on one image in a stage."""
    limits: ItemLimits = getattr(_read(path, "limits", LimitParams), stage)
    return Limits(limits.seconds, limits.memory_mb)


def read_split(path: Path) -> SplitParams:
    return _read(path, "split", SplitParams)


def read_balance(path: Path) -> BalanceParams:
    return _read(path, "balance", BalanceParams)


def _read(path: Path, key: str, model: type[Any]) -> Any:
    return validate_section(path, load_params(path), key, model)
