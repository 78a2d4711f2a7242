"""A colour histogram next to the features of a network, and an expert for each."""

import torch
from torch import Tensor, nn
from torch.nn import functional

#: Units of the hidden layer of the colour expert.
_HIDDEN = 256
#: An image is divided into about this many by this many blocks, each represented by its mean colour.
_BLOCKS = 32
#: The weight of the colour expert in the output; the network, which is better alone, has the rest.
COLOUR_WEIGHT = 0.4


class ColourHistogram(nn.Module):
    """Images [N, 3 or 4, H, H], values 0 to 255, to colour histograms [N, bins³].

    A block's colour counts for the bins around it, the two nearest of each channel, by linear interpolation,
    so that small changes of the light cause small changes here. The output is the square roots of the shares,
    which emphasise rare colours (Hellinger distance), times a constant that makes their mean square 1.
    """

    def __init__(self, bins: int):
        super().__init__()
        self.bins = bins

    def forward(self, images: Tensor) -> Tensor:
        block = max(1, images.shape[-1] // _BLOCKS)
        colours = functional.avg_pool2d(images[:, :3].float(), block).flatten(2).unsqueeze(2) / 255
        centres = torch.linspace(0, 1, self.bins, device=images.device).view(-1, 1)
        nearness = (1 - (colours - centres).abs() * (self.bins - 1)).clamp(min=0)
        red, green, blue = nearness.unbind(1)  # each [N, bins, blocks]
        pairs = (red.unsqueeze(2) * green.unsqueeze(1)).flatten(1, 2)
        # In bfloat16 on a GPU: precise to four thousandths, like the network's output.
        shares: Tensor = (pairs @ blue.transpose(1, 2)).flatten(1).float() / colours.shape[-1]
        histogram: Tensor = shares.sqrt() * self.bins**1.5
        return histogram


class WithColourHistogram(nn.Module):
    """A body for a `Classifier`: the features of `network`, then the colour histogram of the images."""

    def __init__(self, network: nn.Module, bins: int):
        super().__init__()
        self.network = network
        self.colours = ColourHistogram(bins)

    def forward(self, images: Tensor) -> Tensor:
        return torch.cat([self.network(images), self.colours(images)], dim=1)


class ColourHead(nn.Module):
    """A last layer of two experts: one linear layer for a network's features, two layers for the colour
    histogram.

    Its output is the mean of their logits, [N, classes], with a weight of two fifths for the colours. In
    training it is both, [N, 2, classes]: each expert has to learn on its own, or the faster one would leave
    the other nothing to learn.
    """

    def __init__(self, features: int, colours: int, classes: int):
        super().__init__()
        self.features = features
        colour_expert = nn.Sequential(
            nn.Dropout(0.3),
            nn.Linear(colours, _HIDDEN),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(_HIDDEN, classes),
        )
        self.experts = nn.ModuleList([nn.Linear(features, classes), colour_expert])

    def forward(self, embedding: Tensor) -> Tensor:
        parts = embedding[:, : self.features], embedding[:, self.features :]
        outputs = torch.stack([expert(part) for expert, part in zip(self.experts, parts, strict=True)], dim=1)
        return outputs if self.training else torch.lerp(outputs[:, 0], outputs[:, 1], COLOUR_WEIGHT)
