"""MobileNet v1 (Howard et al. 2017), which only timm has."""

from typing import Any

from torch import nn

from gemtrain.models.pretrained import hugging_face
from gemtrain.models.registry import network


@network(
    image_size=224,
    early="blocks.1",
    weights=hugging_face("timm/mobilenetv1_100.ra4_e3600_r224_in1k"),
    head="classifier",
)
def mobilenet_v1(image_size: int) -> tuple[nn.Module, int]:
    """timm's `mobilenetv1_100`; any image size."""
    import timm

    body: Any = timm.create_model("mobilenetv1_100", num_classes=0)
    return body, body.num_features
