"""Prefetched batches arrive in order, and an error is raised with its own batch."""

import threading
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from gemtrain.data.augment import augmented
from gemtrain.data.prefetch import prefetch
from gemtrain.device import to_device
from gemtrain.recipe import Augmentation

DEVICES = [
    torch.device("cpu"),
    pytest.param(
        torch.device("cuda"), marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
    ),
]


@pytest.mark.parametrize("device", DEVICES)
def test_batches_arrive_in_order_and_an_error_with_its_batch(device: torch.device) -> None:
    def load(item: int) -> tuple[Tensor, Tensor]:
        if item == 5:
            raise RuntimeError("the fifth")
        return to_device(torch.full((4,), item), device), to_device(torch.tensor(item), device)

    for item, batch in enumerate(prefetch(load, range(9), device)):
        if item == 5:
            with pytest.raises(RuntimeError, match="the fifth"):
                batch()
        else:
            values, label = batch()
            assert (
                values.tolist() == [item] * 4 and label.item() == item and values.device.type == device.type
            )


@pytest.mark.parametrize("device", DEVICES)
def test_an_abandoned_loader_leaves_no_thread_behind(device: torch.device) -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for item in range(1000):
            taken.append(item)
            yield item

    for batch in prefetch(lambda item: (to_device(torch.tensor(item), device),), items(), device):
        if batch()[0] == 3:
            break
    del batch
    assert len(taken) <= 8 and not any(thread.name.startswith("load") for thread in threading.enumerate())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize(
    "changes",
    [
        Augmentation(),
        Augmentation(mirror=True),
        Augmentation(mirror=True, shift=0.1, rotate=180, zoom=0.2, shear=5, crop=0.2),
    ],
)
def test_images_in_either_memory_are_augmented_alike(changes: Augmentation) -> None:
    images = torch.randint(256, (40, 32, 32, 3), dtype=torch.uint8)
    gpu, rows = torch.device("cuda"), torch.randperm(40).split(8)
    found = {}
    for name, where, target in (("cpu", images, torch.device("cpu")), ("mapped", images, gpu),
                                 ("gpu", images.to(gpu), gpu)):  # fmt: skip
        generator = torch.Generator().manual_seed(1)

        def load(batch: Tensor, where: Tensor = where, target: torch.device = target,
                 generator: torch.Generator = generator) -> tuple[Tensor]:  # fmt: skip
            return (augmented(where, batch, changes, generator, target),)

        found[name] = torch.cat([batch()[0].cpu() for batch in prefetch(load, rows, target)])
    assert torch.equal(found["mapped"], found["gpu"])
    assert (found["cpu"] - found["gpu"]).abs().mean() < 0.5  # of 255: sampling at a pixel's edge may differ
