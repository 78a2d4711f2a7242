"""The device that a network runs on."""

import os
import subprocess
import sys

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


@pytest.mark.parametrize(
    ("user", "expected"),
    [({}, "1000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "PASSIVE"}, "None")],
)
def test_waiting_threads_spin_briefly_unless_the_user_says_otherwise(
    user: dict[str, str], expected: str
) -> None:
    environment = {
        name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
    }
    program = "import gemtrain, os; print(os.environ.get('GOMP_SPINCOUNT'))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**environment, **user},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == expected
