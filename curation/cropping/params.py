"""The section `crop` of `params.yaml`."""

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from curation.params import moved_limits, read_section
from gemkit.records import from_json
from gemkit.strict_model import Share, StrictModel

#: Background of a crop; `kept` is that of the image.
Background = Literal["black", "white", "transparent", "kept"]


class CropParams(StrictModel):
    """`removal`: how the stone's mask is found: by the background's colour (`classical`), by the network
    `model` (`rembg`), or `auto`: classical if the background is uniform and the mask passes its check, else
    by the network.

    `background`: the background of the crop; `stones`: crop the largest stone, or all in one square; `size`:
    side of the visible square, pixels; `margin`: on each side, as a share of the stone's longer side.
    """

    renamed_keys = moved_limits("crop")

    removal: Literal["auto", "classical", "rembg"] = "auto"
    model: str = "u2netp"
    background: Background = "black"
    stones: Literal["largest", "all"] = "largest"
    size: Annotated[int, Field(ge=16, le=2048)]
    margin: Share = 0.06


class CropSettings(CropParams):
    """What images were cropped with: the settings, and the `version` of the program's crops.

    It travels from data/crops/crop.json through classes.json of a dataset to the model.json of a model.
    """

    model_config = ConfigDict(strict=True)
    renamed_keys: ClassVar = {}  # nobody writes its files by hand

    version: int

    @classmethod
    def from_json(cls, content: object) -> "CropSettings | None":
        """The settings in parsed JSON; None for null, of images that no crop stage made.

        Raises InvalidRecord.
        """
        return None if content is None else from_json(cls, content)

    @model_serializer(mode="wrap")
    def _version_first(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {"version": self.version, **dump(self)}


def read_crop(path: Path) -> CropParams:
    """The section `crop`. Raises UserError for an unknown or missing key or a wrong value."""
    return read_section(path, "crop", CropParams)
