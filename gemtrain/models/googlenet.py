"""GoogLeNet (Szegedy et al. 2015), as in torchvision."""

from torch import nn

from gemtrain.models.pretrained import torch_hub
from gemtrain.models.registry import network


@network(
    image_size=224,
    least_side=15,
    early="maxpool2",
    weights=torch_hub("https://download.pytorch.org/models/googlenet-1378be20.pth"),
    head="fc",
)
def googlenet(image_size: int) -> tuple[nn.Module, int]:
    """Nine inception modules, without the two auxiliary outputs.

    Its weights expect mean and standard deviation 0.5, to which torchvision itself converts the usual ones.
    """
    from torchvision.models import googlenet as published

    net = published(aux_logits=False, init_weights=True)
    net.fc = nn.Identity()
    return net, 1024
