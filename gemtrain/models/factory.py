"""The model of a recipe: a network, the input of its last layer, and its initial weights."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from gemtrain.models.classifier import Classifier, layer_features
from gemtrain.models.colour_expert import ColourHead, WithColourHistogram
from gemtrain.models.loading import load_body, load_head
from gemtrain.models.lookup import build

if TYPE_CHECKING:
    from gemtrain.recipe import Recipe

#: Classes of the last layer in published weights.
_PUBLISHED_CLASSES = 1000


class LayerFeatures(nn.Module):
    """A body for a `Classifier`: the concatenated outputs of some layers of a whole network."""

    def __init__(self, network: Classifier, names: Sequence[str]):
        super().__init__()
        self.network = network
        self.names = tuple(names)

    def forward(self, images: Tensor) -> Tensor:
        outputs = layer_features(self.network, images, self.names)
        return torch.cat([outputs[name] for name in self.names], dim=1)


def build_model(recipe: "Recipe", classes: int) -> Classifier:
    """The untrained network of a recipe for a number of classes, on the CPU; its weights are random.

    It takes images [N, channels, image_size, image_size] with values from 0 to 255, and returns logits [N,
    classes]. Its last layer takes the network's usual features, or those of the recipe's `features`; with
    `colour_bins`, a second expert takes a colour histogram of the image (`ColourHead`). Raises UserError for
    an unknown network or layer, and for images that the network does not take.
    """
    size, channels, colour_bins = recipe.image_size, recipe.channels, recipe.colour_bins
    body: nn.Module
    if recipe.features:
        body = LayerFeatures(build(recipe.network, _PUBLISHED_CLASSES, size, channels), recipe.features)
    else:
        body = build(recipe.network, classes, size, channels)
        if not colour_bins:
            return body
        body.head = nn.Identity()
    if colour_bins:
        body = WithColourHistogram(body, colour_bins)
    with torch.inference_mode():
        width = body.eval()(torch.zeros(1, channels, size, size)).shape[1]
    # The inner network normalises its images.
    model = Classifier(body, width, classes, (0.0, 0.0, 0.0), (1 / 255, 1 / 255, 1 / 255), {}, channels)
    if colour_bins:
        model.head = ColourHead(width - colour_bins**3, colour_bins**3, classes)
    return model.to(memory_format=torch.channels_last)


def load_weights(model: Classifier, path: Path, network: str) -> None:
    """Load all layers before the last one from a weights file. Raises UserError."""
    body = model.body.network if isinstance(model.body, WithColourHistogram) else model.body
    if isinstance(body, LayerFeatures):
        load_body(body.network.body, path, network)
        load_head(body.network.head, path, network)
    else:
        load_body(body.body if isinstance(body, Classifier) else body, path, network)
