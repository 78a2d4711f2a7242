"""The base of every model that checks what people write: parameters, site files, rules, the taxonomy."""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

#: The type of the error that a key's former name gets; its message is `'old' is now 'new'`.
RENAMED = "renamed"


class StrictModel(BaseModel):
    """Unknown keys are errors, and a model does not change once it is read.

    `renamed_keys` maps the former name of a key to its present one, which the error for the old name gives.
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
