"""gemcurate: raw images become measurements, decisions, crops, a split and balanced datasets.

from curation import CropParams, crop_image
crop = crop_image(pixels, CropParams(size=224))

docs/api.md has an example of each function.
"""

from typing import TYPE_CHECKING

from gemkit.lazy import lazy_exports

if TYPE_CHECKING:
    from curation.cleaning.clean import clean
    from curation.cleaning.params import CleanParams
    from curation.cropping.crop import crop
    from curation.cropping.crop_image import Crop, crop_image
    from curation.cropping.params import CropParams
    from curation.datasets.balance import balance
    from curation.datasets.params import DatasetParams, SplitParams
    from curation.datasets.split import split
    from curation.measurement.measure import measure
    from curation.measurement.params import MeasureParams
    from gemkit.executor.base import Limits
    from gemkit.project import Project

__all__ = [
    "CleanParams", "Crop", "CropParams", "DatasetParams", "Limits", "MeasureParams", "Project", "SplitParams",
    "balance", "clean", "crop", "crop_image", "measure", "split",
]  # fmt: skip

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "CleanParams": "curation.cleaning.params",
        "Crop": "curation.cropping.crop_image",
        "CropParams": "curation.cropping.params",
        "DatasetParams": "curation.datasets.params",
        "Limits": "gemkit.executor.base",
        "MeasureParams": "curation.measurement.params",
        "Project": "gemkit.project",
        "SplitParams": "curation.datasets.params",
        "balance": "curation.datasets.balance",
        "clean": "curation.cleaning.clean",
        "crop": "curation.cropping.crop",
        "crop_image": "curation.cropping.crop_image",
        "measure": "curation.measurement.measure",
        "split": "curation.datasets.split",
    },
)
