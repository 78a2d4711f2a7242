"""The base of every model that checks what people write: parameters, site files, rules, the taxonomy."""

from pydantic import BaseModel, ConfigDict


class StrictModel(BaseModel):
    """Unknown keys are errors, and nothing changes a model once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)
