"""Residual networks of 18 and 50 layers (He et al. 2016), as in torchvision."""

from typing import Any

from torch import nn

from gemtrain.models.pretrained import torch_hub
from gemtrain.models.registry import IMAGENET_MEAN, IMAGENET_STD, network


@network(
    image_size=224, mean=IMAGENET_MEAN, std=IMAGENET_STD, early="layer1",
    weights=torch_hub("https://download.pytorch.org/models/resnet18-f37072fd.pth"), head="fc",
)  # fmt: skip
def resnet18(image_size: int) -> tuple[nn.Module, int]:
    """18 layers; any image size."""
    from torchvision.models import resnet18 as published

    return _without_head(published())


@network(
    image_size=224, mean=IMAGENET_MEAN, std=IMAGENET_STD, early="layer1",
    weights=torch_hub("https://download.pytorch.org/models/resnet50-0676ba61.pth"), head="fc",
)  # fmt: skip
def resnet50(image_size: int) -> tuple[nn.Module, int]:
    """50 layers; any image size. The first of torchvision's weights, which the published systems used."""
    from torchvision.models import resnet50 as published

    return _without_head(published())


def _without_head(resnet: Any) -> tuple[nn.Module, int]:
    features = resnet.fc.in_features
    resnet.fc = nn.Identity()
    return resnet, features
