"""A network in parts: convolutions, hidden dense layers if it has any, and a last layer."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from gemkit.errors import UserError

#: Values for red, green and blue.
Colour = tuple[float, float, float]


class DenseBody(nn.Module):
    """A body with hidden dense layers: `classifier(flatten(features(images)))`."""

    def __init__(self, features: nn.Module, classifier: nn.Module):
        super().__init__()
        self.features = features
        self.classifier = classifier

    def forward(self, images: Tensor) -> Tensor:
        outputs: Tensor = self.classifier(self.features(images).flatten(1))
        return outputs


class Classifier(nn.Module):
    """Images [N, C, H, W], values 0 to 255 of any type, to logits [N, classes]: `head(embed(images))`.

    `body` is everything but the last layer, `head`, which is linear, or a `ColourHead` (whose output has
    another shape in training). `layers` names some of its modules (`layer_features`). `mean` and `std` are
    those of the channels: of RGB; their average for grey, and for a fourth channel.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        body: nn.Module,
        features: int,
        classes: int,
        mean: Colour,
        std: Colour,
        layers: Mapping[str, str],
        channels: int = 3,
    ):
        super().__init__()
        self.body = body
        self.head: Any = nn.Linear(features, classes)
        self.layers = dict(layers)
        for name, colour in (("mean", mean), ("std", std)):
            average = sum(colour) / 3
            values = {1: (average,), 3: colour, 4: (*colour, average)}[channels]
            self.register_buffer(name, 255 * torch.tensor(values).view(-1, 1, 1), persistent=False)

    def embed(self, images: Tensor) -> Tensor:
        """The input of the last layer, [N, features]."""
        embedding: Tensor = self.body((images - self.mean) / self.std)
        return embedding

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.embed(images))
        return logits

    def convolve(self, images: Tensor) -> Tensor:
        """The output of the convolutions, the input of `dense`; the embedding without hidden dense layers."""
        convolutions = self.body.features if isinstance(self.body, DenseBody) else self.body
        maps: Tensor = convolutions((images - self.mean) / self.std)
        return maps

    @property
    def dense(self) -> nn.Module:
        """All layers after the convolutions, including the last one: logits are `dense(convolve(images))`."""
        if isinstance(self.body, DenseBody):
            return nn.Sequential(nn.Flatten(), self.body.classifier, self.head)
        head: nn.Module = self.head
        return head


def layer_features(model: Classifier, images: Tensor, names: Iterable[str]) -> dict[str, Tensor]:
    """The outputs of some layers of a network for square images [N, C, H, W]; each [N, channels].

    A name is one of `model.layers` ("early", "deep") or of a module such as "body.features.5". "deep" is the
    last layer, in published weights the one of 1000 classes (`gemtrain.models.loading.load_head`). Maps and
    tokens are averaged. The model is used in its current mode: call `eval()` first. Raises UserError for an
    unknown name or a layer whose output does not have channels for each image.
    """
    modules = dict(model.named_modules())
    channels_last = getattr(model.body, "output_fmt", None) == "NHWC"  # as networks of timm declare it
    outputs: dict[str, Tensor] = {}
    handles = []
    for name in dict.fromkeys(names):
        path = model.layers.get(name, name)
        if path not in modules:
            raise UserError(
                f"The network has no layer '{name}'; use {', '.join(model.layers)} or the name of a module."
            )

        def store_output(_module: nn.Module, _inputs: object, output: object, name: str = name) -> None:
            if (
                not isinstance(output, Tensor)
                or output.dim() not in (2, 3, 4)
                or output.shape[0] != images.shape[0]
            ):
                raise UserError(
                    f"The output of the layer '{name}' does not have channels for each image; "
                    "name another layer."
                )
            outputs[name] = _averaged(output, channels_last)

        handles.append(modules[path].register_forward_hook(store_output))
    try:
        model(images)
    finally:
        for handle in handles:
            handle.remove()
    return outputs


def _averaged(outputs: Tensor, channels_last: bool) -> Tensor:
    """Features, tokens [N, tokens, channels] or square maps in either order of axes as [N, channels].

    Height and width of a map are equal; `channels_last` decides when the channels equal them too.
    """
    if outputs.dim() == 4:
        _, first, second, third = outputs.shape
        if first != second or (second == third and not channels_last):
            return outputs.flatten(2).mean(2)
        outputs = outputs.flatten(1, 2)
    return outputs.mean(1) if outputs.dim() == 3 else outputs.clone()


def take_channels(body: nn.Module, channels: int, network: str) -> None:
    """Change a body for RGB into one for grey images or images with a fourth channel. Raises UserError.

    The weights of the layers that see the image, the convolutions of three channels, are changed as in timm:
    summed for grey, so that a grey image gives the same output as its RGB copy; for four channels, those of
    red, green, blue and red again, times 3/4.
    """
    if channels not in (1, 3, 4):
        raise UserError(f"Images of {channels} channels are not supported; use 1, 3 or 4.")
    if channels == 3:
        return
    convolutions = [module for module in body.modules() if isinstance(module, nn.Conv2d)]
    if not convolutions or convolutions[0].in_channels != 3:
        raise UserError(
            f"The network '{network}' takes only RGB images; convert them or use another network."
        )
    for convolution in convolutions:
        if convolution.in_channels == 3:
            convolution.weight = nn.Parameter(weight_for_channels(convolution.weight.detach(), channels))
            convolution.in_channels = channels


def weight_for_channels(weight: Tensor, channels: int) -> Tensor:
    """A weight of RGB, [N, 3, H, W], for images of 1 or 4 channels; see `take_channels`."""
    from timm.models import adapt_input_conv

    adapted: Tensor = adapt_input_conv(channels, weight)
    return adapted
