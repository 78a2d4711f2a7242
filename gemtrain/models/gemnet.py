"""The published own CNN of a gemstone classifier, after its layer table."""

from torch import nn

from gemtrain.models import network


@network(image_size=224)
def gemnet(image_size: int) -> tuple[nn.Module, int]:
    """Five 3×3 convolutions, the first unpadded, each halved by pooling (the fourth by average), dense 512.

    2,792,855 parameters with an output of 87 classes at 222 or 224 pixels. Halving by maximum before ReLU
    gives the same values as after it, for a quarter of the work. Weights begin as He et al. (2015) derive for
    ReLU; with PyTorch's own smaller ones it learns far more slowly.
    """
    layers: list[nn.Module] = []
    channels, side = 3, image_size - 2
    for number, filters in enumerate((32, 64, 128, 128, 128), start=1):
        layers.append(nn.Conv2d(channels, filters, 3, padding=0 if number == 1 else 1))
        layers += [nn.ReLU(), nn.AvgPool2d(2)] if number == 4 else [nn.MaxPool2d(2), nn.ReLU()]
        channels, side = filters, side // 2
    layers += [nn.Flatten(), nn.Dropout(0.5), nn.Linear(channels * side * side, 512), nn.ReLU()]
    body = nn.Sequential(*layers)
    for parameter in body.parameters():
        if parameter.dim() > 1:
            nn.init.kaiming_normal_(parameter, nonlinearity="relu")
        else:
            nn.init.zeros_(parameter)
    return body, 512
