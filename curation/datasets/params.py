"""The sections `split` and `balance` of `params.yaml`."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveInt, field_validator, model_validator

from curation.params import read_section
from gemkit.errors import UserError
from gemkit.strict_model import StrictModel

#: How many orientations a training image may be given.
OrientationCount = Literal[1, 2, 4, 8, 16]


class SplitParams(StrictModel):
    """`validation`, `test`: the share of each variety's images in that split; `folds`: for cross-validation.

    `seed` orders the groups.
    """

    validation: Annotated[float, Field(ge=0, lt=1)] = 0.15
    test: Annotated[float, Field(ge=0, lt=1)] = 0.15
    folds: Annotated[int, Field(ge=2, le=20)] = 5
    seed: int = 0

    @model_validator(mode="after")
    def _leave_some_for_training(self) -> "SplitParams":
        if self.validation + self.test >= 1:
            raise ValueError(
                f"validation and test together must be below 1 (found {self.validation:g} and {self.test:g})"
            )
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
    """`orientations`: at most how many a training image is given; `datasets`: by name."""

    orientations: OrientationCount = 16
    datasets: dict[str, DatasetParams] = Field(default_factory=dict)

    @field_validator("datasets")
    @classmethod
    def _names_of_folders(cls, datasets: dict[str, DatasetParams]) -> dict[str, DatasetParams]:
        for name in datasets:
            if not names_folder(name):
                raise ValueError(f"{name!r} cannot name a dataset; use letters, digits, '-' and '_'")
        return datasets


def names_folder(name: str) -> bool:
    """Whether it can be the name of a folder: `..` or a path would be written to elsewhere."""
    return Path(name).name == name and name not in ("", "..")


def read_split(path: Path) -> SplitParams:
    """The section `split`. Raises UserError for an unknown key or a wrong value."""
    return read_section(path, "split", SplitParams)


def read_dataset(path: Path, name: str) -> DatasetParams:
    """The settings of a dataset. Raises UserError for an unknown dataset or key or a wrong value."""
    datasets = read_balance(path).datasets
    if name not in datasets:
        known = ", ".join(datasets) or "none"
        raise UserError(f"'{path}': 'balance.datasets' has no dataset '{name}'; the datasets are {known}.")
    return datasets[name]


def read_balance(path: Path) -> BalanceParams:
    """The section `balance`. Raises UserError for an unknown key or a wrong value."""
    return read_section(path, "balance", BalanceParams)
