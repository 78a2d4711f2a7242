"""Residual networks of 18 and 50 layers (He et al. 2016), as in torchvision."""

import torchvision.models as published
from torch import nn

from gemtrain.models.pretrained import torch_hub
from gemtrain.models.registry import IMAGENET_MEAN, IMAGENET_STD, network


@network(
    image_size=224, mean=IMAGENET_MEAN, std=IMAGENET_STD, early="layer1",
    weights=torch_hub(published.ResNet18_Weights.IMAGENET1K_V1.url), head="fc",
)  # fmt: skip
def resnet18(image_size: int) -> tuple[nn.Module, int]:
    """18 layers; any image size."""
    return _without_head(published.resnet18())


@network(
    image_size=224, mean=IMAGENET_MEAN, std=IMAGENET_STD, early="layer1",
    weights=torch_hub(published.ResNet50_Weights.IMAGENET1K_V1.url), head="fc",
)  # fmt: skip
def resnet50(image_size: int) -> tuple[nn.Module, int]:
    """50 layers; any image size. The first of torchvision's weights, which the published systems used."""
    return _without_head(published.resnet50())


def _without_head(resnet: published.ResNet) -> tuple[nn.Module, int]:
    features = resnet.fc.in_features
    resnet.fc = nn.Identity()
    return resnet, features
