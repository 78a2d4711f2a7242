"""The published custom CNN of two gemstone classifiers, from its layer table, and its variants."""

from collections.abc import Callable

from torch import Tensor, nn

from gemtrain.models.classifier import DenseBody
from gemtrain.models.pooling import GatedPool2d, LearntPool2d, MixedPool2d, StripPool2d, TreePool2d
from gemtrain.models.registry import network

_FILTERS = (32, 64, 128, 128, 128)
#: The side of the last map at the published image size; larger maps are averaged to it.
_LAST_SIDE = 6
#: The five poolings reduce smaller images to nothing.
_LEAST_SIDE = 34
_EARLY = "features.5"  # the end of the second of the five convolutions


@network(image_size=224, least_side=_LEAST_SIDE, early=_EARLY)
def gemnet(image_size: int) -> tuple[nn.Module, int]:
    """Five 3×3 convolutions, the first unpadded, each followed by pooling (the fourth average), and a dense
    layer of 512.

    2,792,855 parameters with an output of 87 classes at 222 or 224 pixels. Max pooling before ReLU gives the
    same values as after it, for a quarter of the work. Weights are initialised as He et al. (2015) derive for
    ReLU; with PyTorch's smaller default it trains much more slowly.
    """
    return _gemnet(image_size)


@network(image_size=224, least_side=_LEAST_SIDE, early=_EARLY)
def gemnet_mixed_net(image_size: int) -> tuple[nn.Module, int]:
    """Mixed pooling with one share for the whole network."""
    first = MixedPool2d()

    def pool(channels: int) -> MixedPool2d:
        other = MixedPool2d()
        other.logit = first.logit
        return other

    return _gemnet(image_size, pool)


@network(image_size=224, least_side=_LEAST_SIDE, early=_EARLY)
def gemnet_mixed_layer(image_size: int) -> tuple[nn.Module, int]:
    """Mixed pooling with one share per layer."""
    return _gemnet(image_size, lambda channels: MixedPool2d())


@network(image_size=224, least_side=_LEAST_SIDE, early=_EARLY)
def gemnet_mixed_channel(image_size: int) -> tuple[nn.Module, int]:
    """Mixed pooling with one share per channel."""
    return _gemnet(image_size, MixedPool2d)


@network(image_size=224, least_side=_LEAST_SIDE, early=_EARLY)
def gemnet_gated(image_size: int) -> tuple[nn.Module, int]:
    """Gated pooling: each region determines the share of its maximum."""
    return _gemnet(image_size, lambda channels: GatedPool2d())


@network(image_size=224, least_side=_LEAST_SIDE, early=_EARLY)
def gemnet_tree(image_size: int) -> tuple[nn.Module, int]:
    """Tree pooling of two levels."""
    return _gemnet(image_size, lambda channels: TreePool2d())


@network(image_size=224, least_side=_LEAST_SIDE, early=_EARLY)
def gemnet_strip(image_size: int) -> tuple[nn.Module, int]:
    """Strip pooling: averages over whole rows and columns in addition to the maximum."""
    return _gemnet(image_size, StripPool2d)


@network(image_size=224, least_side=_LEAST_SIDE, early=_EARLY)
def gemnet_residual(image_size: int) -> tuple[nn.Module, int]:
    """A shortcut past each convolution but the first (He et al. 2016), 1×1 where the filters change."""
    return _gemnet(image_size, shortcuts=True)


def _gemnet(
    image_size: int, pool: Callable[[int], LearntPool2d] | None = None, shortcuts: bool = False
) -> tuple[nn.Module, int]:
    layers: list[nn.Module] = []
    channels, side = 3, image_size - 2
    for number, filters in enumerate(_FILTERS, start=1):
        convolution: nn.Module = nn.Conv2d(channels, filters, 3, padding=0 if number == 1 else 1)
        if shortcuts and number > 1:
            convolution = Residual(convolution, channels, filters)
        if pool:
            halving = [nn.ReLU(), pool(filters)]
        else:
            halving = [nn.ReLU(), nn.AvgPool2d(2)] if number == 4 else [nn.MaxPool2d(2), nn.ReLU()]
        layers += [convolution, *halving]
        channels, side = filters, side // 2
    if side > _LAST_SIDE:
        layers.append(nn.AdaptiveAvgPool2d(_LAST_SIDE))
        side = _LAST_SIDE
    classifier = nn.Sequential(nn.Dropout(0.5), nn.Linear(channels * side * side, 512), nn.ReLU())
    body = DenseBody(nn.Sequential(*layers), classifier)
    for module in body.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return body, 512


class Residual(nn.Module):
    """The sum of a convolution's output and its input."""

    def __init__(self, convolution: nn.Module, channels: int, filters: int):
        super().__init__()
        self.convolution = convolution
        self.shortcut = nn.Identity() if channels == filters else nn.Conv2d(channels, filters, 1, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        outputs: Tensor = self.convolution(maps) + self.shortcut(maps)
        return outputs
