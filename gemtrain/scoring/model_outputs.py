"""The outputs of a model for images: probabilities and embeddings."""

from typing import NamedTuple

import torch
from torch import Tensor

from gemkit.arrays import Array
from gemkit.progress import Progress
from gemtrain.data.augment import oriented
from gemtrain.data.dataset import Split, batch_of
from gemtrain.device import autocast
from gemtrain.models.classifier import Classifier
from gemtrain.recipe import Recipe

_BATCH = 64


class Outputs(NamedTuple):
    """Probabilities [N, classes] and embeddings [N, features] of N images, both float32."""

    probabilities: Array
    embeddings: Array


@torch.inference_mode()
def predict(model: Classifier, images: Tensor, device: torch.device, views: int = 1) -> Outputs:
    """The outputs for uint8 images [N, H, W, C], means over `views` orientations of each (`oriented`)."""
    model.to(device).eval()
    probabilities: list[Tensor] = []
    embeddings: list[Tensor] = []
    with Progress("inference", len(images)) as progress:
        for rows in torch.split(torch.arange(len(images)), _BATCH):
            batch = batch_of(images, rows).to(device)
            outputs = [_forward(model, oriented(batch, view, views)) for view in range(views)]
            for means, values in zip((probabilities, embeddings), zip(*outputs, strict=True), strict=True):
                means.append(torch.stack(values).mean(0).cpu())
            progress.advance(len(rows))
    return Outputs(torch.cat(probabilities).numpy(), torch.cat(embeddings).numpy())


def predict_split(model: Classifier, recipe: Recipe, split: Split, device: torch.device) -> Outputs:
    """`predict` for the images of a split, prepared as for training."""
    pixels = split.pixels(recipe.image_size, recipe.channels)
    return predict(model, pixels, device, recipe.tta_views)


def _forward(model: Classifier, batch: Tensor) -> tuple[Tensor, Tensor]:
    with autocast(batch.device):
        embedding = model.embed(batch)
        logits = model.head(embedding)
    return logits.float().softmax(1), embedding.float()
