"""Any model of timm, by `timm/<name>` or `timm/<name>.<weights>` in a recipe."""

from typing import Any

import torch
from torch import nn

from gemkit.errors import UserError
from gemtrain.models.pretrained import Source, hugging_face, torch_hub
from gemtrain.models.registry import Network


def timm_network(name: str) -> Network:
    """The network `timm/<name>`, as timm describes it. Raises UserError."""
    model = name.removeprefix("timm/")
    config = _config(model)
    if config is None:
        raise UserError(f"timm has no model '{model}'; timm.list_models() lists its models.")
    side, heads = config.input_size[-1], config.classifier

    def body(image_size: int) -> tuple[nn.Module, int]:
        if config.fixed_input_size and image_size != side:
            raise UserError(
                f"The network '{name}' takes only images of {side} pixels (found {image_size}); "
                "correct 'image_size'."
            )
        if image_size < side:
            _check_side(name, model, image_size, side)
        import timm

        built: Any = timm.create_model(model, num_classes=0)
        return built, built.head_hidden_size

    return Network(
        name,
        body,
        image_size=side,
        mean=config.mean,
        std=config.std,
        layers={"deep": "head"},
        weights=_source(config),
        head=heads[0] if isinstance(heads, tuple) else heads,
    )


def _config(model: str) -> Any:
    import timm

    try:
        return timm.get_pretrained_cfg(model, allow_unregistered=False) if timm.is_model(model) else None
    except RuntimeError:  # the model exists, but not these weights
        return None


def _source(config: Any) -> Source | None:
    if config.hf_hub_id:
        return hugging_face(config.hf_hub_id, config.hf_hub_filename or "model.safetensors")
    return torch_hub(config.url) if config.url else None


@torch.no_grad()
def _check_side(name: str, model: str, image_size: int, default: int) -> None:
    import timm

    with torch.device("meta"):  # shapes only, nothing is computed
        built = timm.create_model(model, num_classes=0).eval()
        try:
            built(torch.empty(1, 3, image_size, image_size))
        except (RuntimeError, AssertionError):
            raise UserError(
                f"The network '{name}' cannot take images of {image_size} pixels; its default is {default}. "
                "Raise 'image_size'."
            ) from None
