"""The device that a network runs on."""

import pytest
import torch

from gemkit.executor.base import worker_count
from gemtrain.device import choose_device


def test_a_cpu_uses_all_its_cores_or_the_requested_number(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = torch.get_num_threads()
    choose_device("cpu")
    assert torch.get_num_threads() == threads
    monkeypatch.delenv("OMP_NUM_THREADS")
    choose_device("cpu")
    assert torch.get_num_threads() == worker_count()
    torch.set_num_threads(threads)
    torch.set_flush_denormal(False)
