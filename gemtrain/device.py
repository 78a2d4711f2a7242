"""Where a network runs: chosen by itself, or named."""

import os
from contextlib import AbstractContextManager

import torch

from gemkit.errors import UserError
from gemkit.parallel import worker_count


def choose_device(name: str | None = None) -> torch.device:
    """The GPU where there is one, else the CPU; or the device `name`. Raises UserError.

    A CPU works with all its cores, or with OMP_NUM_THREADS of them.
    """
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


def autocast(device: torch.device, on_cpu: bool = False) -> AbstractContextManager[None]:
    """bfloat16 arithmetic on a GPU; on a CPU only when asked for, and where the CPU computes it itself."""
    enabled = device.type == "cuda" or (on_cpu and _cpu_has_bfloat16())
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled)


def _cpu_has_bfloat16() -> bool:
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
