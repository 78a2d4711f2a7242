"""Find networks by name."""

import importlib
import pkgutil

import torch

from gemkit.errors import UserError
from gemtrain import models
from gemtrain.models.classifier import Classifier, take_channels
from gemtrain.models.registry import Network, networks


def network_names() -> list[str]:
    """The names of all registered networks, sorted."""
    for module in pkgutil.iter_modules(models.__path__):
        importlib.import_module(f"{models.__name__}.{module.name}")
    return sorted(networks)


def find_network(name: str) -> Network:
    """The network of that name, or the model of timm that `timm/<name>` refers to. Raises UserError."""
    if name.startswith("timm/"):
        from gemtrain.models.any_timm import timm_network

        return timm_network(name)
    if name not in network_names():
        raise UserError(
            f"There is no network '{name}'; the networks are {', '.join(network_names())} "
            "and any model of timm as 'timm/<name>'."
        )
    return networks[name]


def build(name: str, classes: int, image_size: int, channels: int = 3) -> Classifier:
    """A network with random weights, in channels-last memory format, for images of 1, 3 or 4 channels.

    Raises UserError for an unknown name, and for images that are too small or have an unsupported number of
    channels.
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
