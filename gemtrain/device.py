"""The device that a network runs on: selected automatically, or named."""

import ctypes
import os
from contextlib import AbstractContextManager

import torch
from torch import Tensor

from gemkit.errors import UserError
from gemkit.executor.base import worker_count

#: Parameters of glibc's mallopt(3), and a value above the size of any tensor here, in bytes.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _KEPT = -1, -3, 2**31 - 1


def choose_device(name: torch.device | str | None = None) -> torch.device:
    """The GPU if there is one, else the CPU; or the device `name`. Raises UserError.

    Sets this process up for it: a CPU uses all its cores, or OMP_NUM_THREADS of them, and flushes denormals.
    A device of PyTorch is returned as it is, and nothing is set up.
    """
    if isinstance(name, torch.device):
        return name
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(worker_count())
    torch.set_flush_denormal(True)
    _keep_freed_memory()
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError):
        raise UserError(
            f"The device '{name}' cannot be used on this machine; "
            "leave out --device to select one automatically."
        ) from None
    if device.type not in ("cpu", "cuda"):
        raise UserError(f"The device '{name}' is not supported; use cpu or cuda.")
    return device


def _keep_freed_memory() -> None:
    # By default glibc returns every large tensor to the kernel and pays for fresh pages in the next step.
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _KEPT)
        mallopt(_M_TRIM_THRESHOLD, _KEPT)


def to_device(values: Tensor, device: torch.device) -> Tensor:
    """The values on a device; a copy to a GPU runs asynchronously."""
    if device.type == "cuda" and values.device.type == "cpu":
        values = values.pin_memory()
    return values.to(device, non_blocking=True)


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether an error of PyTorch means that the device ran out of memory.

    On a CPU, PyTorch has no class of its own for that, only the text of a RuntimeError.
    """
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def autocast(device: torch.device, on_cpu: bool = False) -> AbstractContextManager[None]:
    """Compute in bfloat16 on a GPU; on a CPU only on request, and only if the CPU supports it in hardware."""
    enabled = device.type == "cuda" or (on_cpu and _cpu_has_bfloat16())
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled)


def _cpu_has_bfloat16() -> bool:
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
