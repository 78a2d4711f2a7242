"""A training as in PyTorch's tutorials: `python _imagefolder.py RECIPE IMAGES PIXELS EPOCHS WORKERS`.

Writes the empty file `trained` when the model is finished, then its test accuracy to `accuracy`.
"""

import math
import sys
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder

from gemkit.project import Project
from gemtrain.models.factory import build_model, load_weights
from gemtrain.models.loading import weights_file
from gemtrain.recipe import load_recipe


def main() -> None:
    """Train on IMAGES/train, validate on IMAGES/validation after every epoch, evaluate on IMAGES/test."""
    recipe, folder = load_recipe(sys.argv[1]), Path(sys.argv[2])
    pixels, epochs, workers = map(int, sys.argv[3:])
    (stage,) = recipe.stages
    torch.manual_seed(0)
    classes = len(ImageFolder(folder / "train").classes)
    ours = build_model(recipe.replace(image_size=pixels), classes)
    weights = weights_file(Project(), recipe.network, recipe.weights)
    assert weights is not None
    load_weights(ours, weights, recipe.network)
    network = nn.Sequential(ours.body, ours.head).to(memory_format=torch.contiguous_format)
    as_tensor = [
        transforms.ToTensor(),
        transforms.Normalize((ours.mean / 255).flatten().tolist(), (ours.std / 255).flatten().tolist()),
    ]
    resize = transforms.Resize((pixels, pixels))
    augmentation = [
        resize,
        transforms.RandomHorizontalFlip(),
        transforms.RandomRotation(180, transforms.InterpolationMode.BILINEAR),
        *as_tensor,
    ]

    def loader(split: str, *steps: object) -> DataLoader[object]:
        data = ImageFolder(folder / split, transforms.Compose(steps))
        is_training = split == "train"
        return DataLoader(
            data,
            recipe.batch_size,
            shuffle=is_training,
            drop_last=is_training,
            num_workers=workers,
            persistent_workers=workers > 0,
        )

    training, validation = loader("train", *augmentation), loader("validation", resize, *as_tensor)
    optimiser = torch.optim.AdamW(network.parameters(), stage.learning_rate, weight_decay=recipe.weight_decay)
    steps = epochs * len(training)
    warm = stage.warmup * steps
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda step: min((step + 1) / warm, (1 + math.cos(math.pi * (step - warm) / (steps - warm))) / 2),
    )
    for _ in range(epochs):
        network.train()
        for images, labels in training:
            loss = nn.functional.cross_entropy(network(images), labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        accuracy(network, validation)
    Path("trained").touch()
    Path("accuracy").write_text(str(accuracy(network, loader("test", resize, *as_tensor))))


@torch.inference_mode()
def accuracy(network: nn.Module, loader: DataLoader[object]) -> float:
    """The share of images whose first class is correct."""
    network.eval()
    correct = total = 0
    for images, labels in loader:
        correct += int((network(images).argmax(1) == labels).sum())
        total += len(labels)
    return correct / total


if __name__ == "__main__":
    main()
