"""DenseNet of 121 layers (Huang et al. 2017), as in timm, which carries torchvision's weights."""

from typing import Any

from torch import nn

from gemtrain.models.pretrained import hugging_face
from gemtrain.models.registry import IMAGENET_MEAN, IMAGENET_STD, network


@network(
    image_size=224,
    mean=IMAGENET_MEAN,
    std=IMAGENET_STD,
    least_side=29,
    early="features.denseblock1",
    weights=hugging_face("timm/densenet121.tv_in1k"),
    head="classifier",
)
def densenet121(image_size: int) -> tuple[nn.Module, int]:
    """Four dense blocks, growing by 32 channels a layer."""
    import timm

    body: Any = timm.create_model("densenet121", num_classes=0)
    return body, body.num_features
