"""AlexNet (Krizhevsky, Sutskever and Hinton 2012), as in torchvision."""

from torch import nn

from gemtrain.models.classifier import DenseBody
from gemtrain.models.pretrained import torch_hub
from gemtrain.models.registry import IMAGENET_MEAN, IMAGENET_STD, network


@network(
    image_size=224,
    mean=IMAGENET_MEAN,
    std=IMAGENET_STD,
    least_side=63,
    early="features.5",
    weights=torch_hub("https://download.pytorch.org/models/alexnet-owt-7be5be79.pth"),
    head="classifier.6",
)
def alexnet(image_size: int) -> tuple[nn.Module, int]:
    """Five convolutions, two hidden dense layers of 4096; larger maps are averaged to 6×6."""
    from torchvision.models import alexnet as published

    net = published()
    return DenseBody(nn.Sequential(*net.features, net.avgpool), net.classifier[:-1]), 4096
