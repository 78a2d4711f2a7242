"""Benchmark the exported files on the test images against PyTorch: accuracy and latency."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from gemkit.arrays import Array
from gemkit.stats.calibration import calibration_error
from gemkit.stats.confidence_intervals import Estimate, GroupBootstrap, wilson
from gemtrain.data.dataset import Split
from gemtrain.export.latency import median_milliseconds
from gemtrain.export.onnx_graph import INPUT, Calibrated, open_session

PYTORCH = "PyTorch"


@dataclass(frozen=True)
class Measured:
    """The measurements of a file, or of PyTorch itself (`bytes` is None).

    `agreement`: the share of images with the same first class as PyTorch. `loss`: how much lower its top-1 is
    than that of PyTorch. `calibration_error` as in `gemkit.stats.calibration`. `milliseconds` per image,
    by number of threads.
    """

    name: str
    bytes: int | None
    top1: Estimate
    agreement: Estimate
    loss: Estimate
    calibration_error: float
    milliseconds: dict[int, float]


def measure(
    test: Split,
    contents: Mapping[str, bytes],
    probabilities: Mapping[str, Array],
    calibrated: Calibrated,
    image: Tensor,
) -> list[Measured]:
    """Measure PyTorch and the files with the given names and `contents`, from the probabilities [N, classes]
    of each.

    The latency is that of one `image` [1, side, side, channels], for PyTorch that of `calibrated`.
    """
    labels, expected = test.labels.numpy(), probabilities[PYTORCH].argmax(1)
    bootstrap, sizes = GroupBootstrap(test.groups), Counter(test.groups).values()
    milliseconds = _time(calibrated, contents, image)
    measured = []
    for name, found in probabilities.items():
        first = found.argmax(1)
        correct, same = first == labels, first == expected
        lost = (expected == labels).astype(int) - correct
        measured.append(
            Measured(
                name,
                len(contents[name]) if name in contents else None,
                Estimate(float(correct.mean()), bootstrap.mean(correct)),
                # Wilson's interval has a positive width even if all images agree.
                Estimate(float(same.mean()), wilson(float(same.mean()), sizes)),
                Estimate(float(lost.mean()), bootstrap.mean(lost)),
                calibration_error(labels, found),
                milliseconds[name],
            )
        )
    return measured


def _time(
    calibrated: Calibrated, contents: Mapping[str, bytes], image: Tensor
) -> dict[str, dict[int, float]]:
    """Median milliseconds per image by name and number of threads: one, and as many as PyTorch uses."""
    most = torch.get_num_threads()
    calls: dict[tuple[str, int], Callable[[], object]] = {}
    for threads in sorted({1, most}):
        calls[PYTORCH, threads] = partial(_run_pytorch, calibrated, image, threads)
        for name, content in contents.items():
            session = open_session(content, threads)
            calls[name, threads] = partial(session.run, None, {INPUT: image.numpy()})
    try:
        taken = median_milliseconds(calls)
    finally:
        torch.set_num_threads(most)
    by_name: dict[str, dict[int, float]] = {PYTORCH: {}, **{name: {} for name in contents}}
    for (name, threads), milliseconds in taken.items():
        by_name[name][threads] = milliseconds
    return by_name


@torch.inference_mode()
def _run_pytorch(calibrated: Calibrated, image: Tensor, threads: int) -> None:
    torch.set_num_threads(threads)
    calibrated(image)
