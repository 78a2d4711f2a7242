"""The networks: one small function each, with its default configuration beside it.

A new network is one new function in a file of this folder, decorated with `@network(…)`. Any model of timm is
there as `timm/<name>` without one.
"""

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn

from gemkit.errors import UserError
from gemtrain.models.classifier import Classifier, Colour, DenseBody, layer_features, take_channels

__all__ = [
    "Classifier",
    "DenseBody",
    "Network",
    "build",
    "find_network",
    "layer_features",
    "network",
    "network_names",
]

#: Builds everything but the last layer for RGB images of a side in pixels: (module, number of its features).
Body = Callable[[int], tuple[nn.Module, int]]

#: Mean and standard deviation of the photos of ImageNet, as torchvision and timm state them.
IMAGENET_MEAN: Colour = (0.485, 0.456, 0.406)
IMAGENET_STD: Colour = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Network:
    """A registered network: how to build it, and what its input looks like by default.

    `mean` and `std` are those of RGB values from 0 to 1. `least_side`: the smallest images it takes, pixels.
    `layers` names modules of its `Classifier` for `layer_features`. `weights` returns the file of its
    pretrained weights, whose last layer is called `head`; None where there are none.
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


_networks: dict[str, Network] = {}


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

    `early` is the name of the module in the body whose answers are its early features.
    """
    layers = ({"early": f"body.{early}"} if early else {}) | {"deep": "head"}

    def register(body: Body) -> Body:
        name = body.__name__
        _networks[name] = Network(name, body, image_size, mean, std, least_side, layers, weights, head)
        return body

    return register


def network_names() -> list[str]:
    """The names of all registered networks, sorted."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return sorted(_networks)


def find_network(name: str) -> Network:
    """The network of that name, or the model of timm that `timm/<name>` means. Raises UserError."""
    if name.startswith("timm/"):
        from gemtrain.models.any_timm import timm_network

        return timm_network(name)
    if name not in network_names():
        raise UserError(
            f"There is no network '{name}'; the networks are {', '.join(network_names())} "
            "and any model of timm as 'timm/<name>'."
        )
    return _networks[name]


def build(name: str, classes: int, image_size: int, channels: int = 3) -> Classifier:
    """A network with random weights, in channels-last memory format, for images of 1, 3 or 4 channels.

    Raises UserError for an unknown name, or images that are too small for it or of other channels.
    """
    found = find_network(name)
    if image_size < found.least_side:
        raise UserError(
            f"The network '{name}' takes images of at least {found.least_side} pixels (found {image_size}); "
            "raise 'image_size'."
        )
    body, features = found.body(image_size)
    take_channels(body, channels, name)
    model = Classifier(body, features, classes, found.mean, found.std, found.layers, channels)
    return model.to(memory_format=torch.channels_last)
