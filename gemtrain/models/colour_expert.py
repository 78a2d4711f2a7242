"""The colours of an image beside the features of a network, and an expert for each."""

import torch
from torch import Tensor, nn
from torch.nn import functional

#: Units of the hidden layer of the expert on colours.
_HIDDEN = 256
#: Of an image about so many by so many blocks are looked at, each by its mean colour.
_BLOCKS = 32
#: What the colours count in the answer; the rest is the network's, which knows more by itself.
COLOURS_SHARE = 0.4


class ColourHistogram(nn.Module):
    """Images [N, 3 or 4, H, H], values 0 to 255, to [N, bins³]: how much they hold of which colour.

    A block's colour counts for the bins around it, of each channel the two nearest, by linear interpolation:
    small changes of the light are small changes here. Square roots of the shares, by which rare colours
    count (Hellinger's distance), times a constant that brings their mean square to 1.
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
        # On a GPU in bfloat16, exact to four thousandths, as what the network says is.
        shares = (pairs @ blue.transpose(1, 2)).flatten(1).float() / colours.shape[-1]
        return shares.sqrt() * self.bins**1.5


class BesideColours(nn.Module):
    """A body for a `Classifier`: what `network` says of images, and their colours beside it."""

    def __init__(self, network: nn.Module, bins: int):
        super().__init__()
        self.network = network
        self.colours = ColourHistogram(bins)

    def forward(self, images: Tensor) -> Tensor:
        return torch.cat([self.network(images), self.colours(images)], dim=1)


class ColourHead(nn.Module):
    """A last layer of two experts: linear for a network's features, two layers for the colours beside them.

    Its answer is the mean of their logits, [N, classes], the colours for two fifths. In training it is both,
    [N, 2, classes]: each has to learn by itself, or the one that learns faster would leave the other nothing
    to learn.
    """

    def __init__(self, features: int, colours: int, classes: int):
        super().__init__()
        self.features = features
        of_colours = nn.Sequential(
            nn.Dropout(0.3),
            nn.Linear(colours, _HIDDEN),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(_HIDDEN, classes),
        )
        self.experts = nn.ModuleList([nn.Linear(features, classes), of_colours])

    def forward(self, embedding: Tensor) -> Tensor:
        parts = embedding[:, : self.features], embedding[:, self.features :]
        answers = torch.stack([expert(part) for expert, part in zip(self.experts, parts, strict=True)], dim=1)
        return answers if self.training else torch.lerp(answers[:, 0], answers[:, 1], COLOURS_SHARE)
