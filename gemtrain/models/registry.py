"""The registry of networks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from torch import nn

from gemtrain.models.classifier import Colour

#: Builds everything but the last layer for RGB images of a side in pixels: (module, number of features).
Body = Callable[[int], tuple[nn.Module, int]]


#: Mean and standard deviation of the images of ImageNet, as in torchvision and timm.
IMAGENET_MEAN: Colour = (0.485, 0.456, 0.406)


IMAGENET_STD: Colour = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Network:
    """A registered network: how to build it, and its default input.

    `mean` and `std` are those of RGB values from 0 to 1. `least_side`: the smallest supported image side,
    pixels. `layers` names modules of its `Classifier` for `layer_features`. `weights` returns the file of its
    pretrained weights, whose last layer is called `head`; None if there are none.
    """

    name: str
    body: Body
    image_size: int
    mean: Colour = (0.5, 0.5, 0.5)
    std: Colour = (0.5, 0.5, 0.5)
    least_side: int = 1
    layers: Mapping[str, str] = field(default_factory=dict)
    weights: Callable[[], Path] | None = None
    head: str | None = None


networks: dict[str, Network] = {}


def network(
    *,
    image_size: int,
    mean: Colour = (0.5, 0.5, 0.5),
    std: Colour = (0.5, 0.5, 0.5),
    least_side: int = 1,
    early: str | None = None,
    weights: Callable[[], Path] | None = None,
    head: str | None = None,
) -> Callable[[Body], Body]:
    """Register a function that builds a network's body under the function's name; see `Network`.

    `early` is the name of the module in the body whose outputs are its early features.
    """
    layers = ({"early": f"body.{early}"} if early else {}) | {"deep": "head"}

    def register(body: Body) -> Body:
        name = body.__name__
        networks[name] = Network(name, body, image_size, mean, std, least_side, layers, weights, head)
        return body

    return register
