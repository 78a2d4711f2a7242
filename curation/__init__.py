"""gemcurate: raw images become measurements, decisions, crops, a split and balanced datasets.

from curation import CropParams, crop_image
crop = crop_image(pixels, CropParams(size=224))
"""

from typing import TYPE_CHECKING

from gemkit.lazy import lazy_exports

if TYPE_CHECKING:
    from curation.cropping.crop_image import Crop, crop_image
    from curation.cropping.params import CropParams
    from gemkit.project import Project

__all__ = ["Crop", "CropParams", "Project", "crop_image"]

__getattr__ = lazy_exports(
    __name__,
    {
        "Crop": "curation.cropping.crop_image",
        "CropParams": "curation.cropping.params",
        "Project": "gemkit.project",
        "crop_image": "curation.cropping.crop_image",
    },
)
