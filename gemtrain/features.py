"""Features of a frozen network, computed once per image and kept in `.cache/`."""

import hashlib

import numpy as np
import torch
from torch import Tensor, nn

from gemkit.memo import Memo
from gemkit.progress import Progress
from gemtrain.data import batch_of
from gemtrain.device import autocast
from gemtrain.models import Classifier

_VERSION = 1
_BATCH = 64


@torch.inference_mode()
def frozen_features(model: Classifier, images: Tensor, rows: Tensor, device: torch.device) -> Tensor:
    """The inputs of the last layer for `rows` of uint8 images [N, H, W, 3]: [rows, features] float32, CPU.

    Keyed by pixels and weights: an image seen before costs a look-up, whatever dataset it came in.
    """
    model.eval()
    keys = [hashlib.sha256(images[row].numpy().tobytes()).hexdigest() for row in rows.tolist()]
    settings = [device.type, _state_hash(model.body)]
    with Memo("features", _VERSION, settings) as memo, Progress("features", len(rows)) as progress:
        first_row = dict(reversed(list(zip(keys, rows.tolist(), strict=True))))
        missing = torch.tensor([first_row[key] for key in memo.missing(first_row)], dtype=torch.int64)
        names = {row: key for key, row in first_row.items()}
        progress.advance(len(rows) - len(missing))
        for batch in missing.split(_BATCH):
            with autocast(device):
                features = model.embed(batch_of(images, batch).to(device)).float().cpu().numpy()
            memo.put(
                (names[row], {}, values.tobytes())
                for row, values in zip(batch.tolist(), features, strict=True)
            )
            progress.advance(len(batch))
        stored = b"".join(memo.get(key)[1] or b"" for key in keys)
    values = np.frombuffer(stored, dtype=np.float32).reshape(len(rows), -1)
    # A clone leaves inference mode's restrictions behind: gradients of the head pass through it.
    return torch.from_numpy(values.copy())


def _state_hash(module: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, value in module.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
