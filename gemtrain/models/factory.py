"""The model of a recipe: a network, the input of its last layer, and its initial weights."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from gemtrain.models.classifier import Classifier, layer_features
from gemtrain.models.colour_expert import ColourHead, WithColourHistogram
from gemtrain.models.loading import load_body, load_head
from gemtrain.models.lookup import build

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


def build_model(
    network: str,
    classes: int,
    image_size: int,
    channels: int = 3,
    features: Sequence[str] = (),
    colour_bins: int | None = None,
) -> Classifier:
    """A network with random weights whose last layer takes its usual features, or those of the named layers.

    With `colour_bins`, a second expert takes a colour histogram of the image (`ColourHead`). Raises UserError
    for an unknown network or layer.
    """
    body: nn.Module
    if features:
        body = LayerFeatures(build(network, _PUBLISHED_CLASSES, image_size, channels), features)
    else:
        body = build(network, classes, image_size, channels)
        if not colour_bins:
            return body
        body.head = nn.Identity()
    if colour_bins:
        body = WithColourHistogram(body, colour_bins)
    with torch.inference_mode():
        width = body.eval()(torch.zeros(1, channels, image_size, image_size)).shape[1]
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
