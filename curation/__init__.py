"""gemcurate: raw images become measurements, decisions, crops, a split and balanced datasets.

from curation import CropParams, crop_image
crop = crop_image(pixels, CropParams(size=224))
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from curation.cropping.crop_image import Crop, crop_image
    from curation.cropping.params import CropParams

__all__ = ["Crop", "CropParams", "crop_image"]

_MODULES = {
    "Crop": "curation.cropping.crop_image",
    "CropParams": "curation.cropping.params",
    "crop_image": "curation.cropping.crop_image",
}


def __getattr__(name: str) -> Any:
    # Imported on first use: OpenCV and NumPy would slow down every command.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
