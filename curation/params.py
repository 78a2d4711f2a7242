"""The sections of `params.yaml` that stages share: `sites`, `limits`, and how a section is read.

Each stage's own section is defined in its folder.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from gemkit.errors import UserError
from gemkit.executor.base import Limits
from gemkit.params import load_params, validate_section
from gemkit.strict_model import Model, StrictModel


class ItemLimits(StrictModel):
    """Time and memory that one image may take in a stage before it is given up.

    The limits change no result, so no stage of dvc.yaml depends on them.
    """

    seconds: Annotated[float, Field(gt=0)] = 60
    memory_mb: Annotated[int, Field(ge=512)] = 2048


class LimitParams(StrictModel):
    """The section `limits`: those of each stage that has them."""

    measure: ItemLimits = ItemLimits()
    crop: ItemLimits = ItemLimits()


def moved_limits(stage: str) -> dict[str, str]:
    """The limits of a stage, which were keys of its own section once."""
    return {key: f"limits.{stage}.{key}" for key in ItemLimits.model_fields}


def read_section(path: Path, key: str, model: type[Model]) -> Model:
    """Validate a section with its pydantic model. Raises UserError that names the first wrong key."""
    return validate_section(path, load_params(path), key, model)


def read_limits(path: Path, stage: Literal["measure", "crop"]) -> Limits:
    """The limits on one image in a stage."""
    limits: ItemLimits = getattr(read_section(path, "limits", LimitParams), stage)
    return Limits(limits.seconds, limits.memory_mb)


def read_sites(path: Path) -> list[str]:
    """The sites whose images are used, sorted. Raises UserError when there are none."""
    sites = load_params(path).get("sites") or []
    if not sites:
        raise UserError(f"'{path}': 'sites' is empty; name at least one site.")
    return sorted(set(sites))
