"""Base class of the models that validate hand-written files: parameters, sites, rules, the taxonomy."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

Model = TypeVar("Model", bound=BaseModel)

#: A share of a whole, 0 to 1.
Share = Annotated[float, Field(ge=0, le=1)]

#: Error type for a key's former name; the message is `'old' is now 'new'`.
RENAMED = "renamed"


class StrictModel(BaseModel):
    """An immutable model for which unknown keys are errors.

    `renamed_keys` maps the former name of a key to its current one; the error for a former name says both.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    renamed_keys: ClassVar[Mapping[str, str]] = {}

    @model_validator(mode="before")
    @classmethod
    def _refuse_former_names(cls, values: Any) -> Any:
        for old, new in cls.renamed_keys.items():
            if isinstance(values, Mapping) and old in values:
                raise PydanticCustomError(RENAMED, "'{old}' is now '{new}'", {"old": old, "new": new})
        return values

    def replace(self, **changes: Any) -> Self:
        """A copy with other values for some fields, validated."""
        return type(self)(**{**dict(self), **changes})
