"""Features of a frozen network, computed once per image and cached in `.cache/`."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gemkit.memo import Memo
from gemkit.progress import Progress
from gemtrain.data.dataset import batch_of
from gemtrain.device import autocast

_VERSION = 2
_BATCH = 64


@torch.inference_mode()
def frozen_features(
    part: Callable[[Tensor], Tensor],
    settings: object,
    images: Tensor,
    rows: Tensor,
    device: torch.device,
    cache: Path,
) -> Tensor:
    """The output of a part of a network for `rows` of uint8 images [N, H, W, C]: [rows, features] float16, on
    the CPU.

    Cached in the folder `cache` by pixels and `settings`, which must identify everything that the output
    depends on: an image seen before costs only a look-up, whichever dataset it came from. Half precision,
    because the maps of VGG16 are 25,088 numbers an image.
    """
    keys = [hashlib.sha256(images[row].numpy().tobytes()).hexdigest() for row in rows.tolist()]
    with (
        Memo("features", _VERSION, [device.type, settings], cache) as memo,
        Progress("features", len(rows)) as progress,
    ):
        first_row = dict(reversed(list(zip(keys, rows.tolist(), strict=True))))
        missing = [first_row[key] for key in memo.missing(first_row)]
        names = {row: key for key, row in first_row.items()}
        progress.advance(len(rows) - len(missing))
        for start in range(0, len(missing), _BATCH):
            batch = missing[start : start + _BATCH]
            # Always a full batch: kernels depend on the batch size, and the last bits on the kernel.
            full = torch.tensor(batch + batch[-1:] * (_BATCH - len(batch)))
            with autocast(device):
                outputs = part(batch_of(images, full).to(device)).flatten(1).half().cpu().numpy()
            memo.put(
                (names[row], {}, values.tobytes())
                for row, values in zip(batch, outputs[: len(batch)], strict=True)
            )
            progress.advance(len(batch))
        first = np.frombuffer(memo.get(keys[0])[1] or b"", dtype=np.float16)
        values = np.empty((len(rows), len(first)), dtype=np.float16)
        for number, key in enumerate(keys):
            values[number] = np.frombuffer(memo.get(key)[1] or b"", dtype=np.float16)
    return torch.from_numpy(values)


def state_hash(state: Mapping[str, Tensor]) -> str:
    """SHA-256 of the names and values of a state_dict."""
    digest = hashlib.sha256()
    for name, value in state.items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
