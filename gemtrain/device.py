"""Where a network runs: chosen by itself, or named."""

import os
from contextlib import AbstractContextManager

import torch

from gemkit.errors import UserError
from gemkit.parallel import worker_count


def choose_device(name: str | None = None) -> torch.device:
    """The GPU where there is one, else the CPU with all its cores (or OMP_NUM_THREADS); or the device `name`. Raises UserError."""
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(worker_count())
    torch.set_flush_denormal(True)
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError):
        raise UserError(
            f"The device '{name}' cannot be used on this machine; leave out --device to have one chosen."
        ) from None
    if device.type not in ("cpu", "cuda"):
        raise UserError(f"The device '{name}' is not supported; use cpu or cuda.")
    return device


def autocast(device: torch.device) -> AbstractContextManager[None]:
    """bfloat16 arithmetic on a GPU; full precision on a CPU, where bfloat16 slows some networks."""
    return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")
