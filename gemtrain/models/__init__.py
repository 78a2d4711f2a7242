"""The networks: one small function in one file each, with its default configuration beside it.

A new network is one new file in this folder that decorates its function with `@network(…)`.
"""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from gemkit.errors import UserError

#: Builds everything but the last layer for images of a side in pixels: (module, number of its features).
Body = Callable[[int], tuple[nn.Module, int]]

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Network:
    """A registered network: how to build it, and what its input looks like by default.

    `mean` and `std` are those of RGB values from 0 to 1. `weights` returns the file of its pretrained
    weights, or raises UserError that names the alternatives; None where there are none.
    """

    name: str
    body: Body
    image_size: int
    mean: Colour
    std: Colour
    weights: Callable[[], Path] | None


_networks: dict[str, Network] = {}


def network(
    *,
    image_size: int,
    mean: Colour = (0.5, 0.5, 0.5),
    std: Colour = (0.5, 0.5, 0.5),
    weights: Callable[[], Path] | None = None,
) -> Callable[[Body], Body]:
    """Register a function that builds a network's body under the function's name."""

    def register(body: Body) -> Body:
        name = body.__name__
        _networks[name] = Network(name, body, image_size, mean, std, weights)
        return body

    return register


def network_names() -> list[str]:
    """The names of all networks, sorted."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return sorted(_networks)


def find_network(name: str) -> Network:
    """The network of that name. Raises UserError that lists those there are."""
    if name not in network_names():
        raise UserError(f"There is no network '{name}'; the networks are {', '.join(network_names())}.")
    return _networks[name]


class Classifier(nn.Module):
    """RGB images [N, 3, H, W], values 0 to 255 of any type, to logits [N, classes]: `head(embed(images))`."""

    mean: Tensor
    std: Tensor

    def __init__(self, body: nn.Module, features: int, classes: int, mean: Colour, std: Colour):
        super().__init__()
        self.body = body
        self.head = nn.Linear(features, classes)
        self.register_buffer("mean", 255 * torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", 255 * torch.tensor(std).view(3, 1, 1), persistent=False)

    def embed(self, images: Tensor) -> Tensor:
        """The input of the last layer, [N, features]."""
        return self.body((images - self.mean) / self.std)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.embed(images))


def build(name: str, classes: int, image_size: int) -> Classifier:
    """A network with random weights, in channels-last memory format. Raises UserError for an unknown name."""
    found = find_network(name)
    body, features = found.body(image_size)
    model = Classifier(body, features, classes, found.mean, found.std)
    return model.to(memory_format=torch.channels_last)
