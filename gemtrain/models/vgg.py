"""VGG of 16 and 19 layers (Simonyan and Zisserman 2015), as in torchvision."""

from typing import Any

from torch import nn

from gemtrain.models.classifier import DenseBody
from gemtrain.models.pooling import MixedPool2d
from gemtrain.models.pretrained import torch_hub
from gemtrain.models.registry import IMAGENET_MEAN, IMAGENET_STD, network

_VGG16 = torch_hub("https://download.pytorch.org/models/vgg16-397923af.pth")
_VGG19 = torch_hub("https://download.pytorch.org/models/vgg19-dcbb9e9d.pth")
_HEAD = "classifier.6"


@network(
    image_size=224, mean=IMAGENET_MEAN, std=IMAGENET_STD, least_side=32, early="features.9",
    weights=_VGG16, head=_HEAD,
)  # fmt: skip
def vgg16(image_size: int) -> tuple[nn.Module, int]:
    """13 convolutions, two hidden dense layers of 4096; larger maps are averaged to 7×7."""
    from torchvision.models import vgg16 as published

    return _without_head(published())


@network(
    image_size=224, mean=IMAGENET_MEAN, std=IMAGENET_STD, least_side=32, early="features.9",
    weights=_VGG16, head=_HEAD,
)  # fmt: skip
def vgg16_mixed(image_size: int) -> tuple[nn.Module, int]:
    """VGG16 with mixed pooling, one share per layer, initially near the maximum that its weights expect."""
    from torchvision.models import vgg16 as published

    vgg = published()
    for number, layer in enumerate(vgg.features):
        if isinstance(layer, nn.MaxPool2d):
            vgg.features[number] = MixedPool2d(share=0.9)
    return _without_head(vgg)


@network(
    image_size=224, mean=IMAGENET_MEAN, std=IMAGENET_STD, least_side=32, early="features.9",
    weights=_VGG19, head=_HEAD,
)  # fmt: skip
def vgg19(image_size: int) -> tuple[nn.Module, int]:
    """16 convolutions, two hidden dense layers of 4096; larger maps are averaged to 7×7."""
    from torchvision.models import vgg19 as published

    return _without_head(published())


def _without_head(vgg: Any) -> tuple[nn.Module, int]:
    return DenseBody(nn.Sequential(*vgg.features, vgg.avgpool), vgg.classifier[:-1]), 4096
