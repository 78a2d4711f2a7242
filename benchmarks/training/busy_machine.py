"""How much slower training and ONNX Runtime are on a busy machine, by how long their waiting threads spin.

    python -m benchmarks.training.busy_machine [--seconds 5] [--rounds 3]

OpenMP's threads spin while they wait for the next parallel loop. On a core that other processes need too,
this slows all of them down. Each row is EfficientNet-Lite0 on images of 96 pixels, with two
threads, next to no, one and six busy processes: the median of rounds.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from statistics import median
from types import MappingProxyType
from typing import NamedTuple

from benchmarks._commands import table

#: Number of busy processes next to the measured one.
LOADS = (0, 1, 6)

#: Imports and the first step are not measured: the load starts when the program reports that it is ready.
_READY = """
import sys

def wait_for_load():
    print("ready", flush=True)
    sys.stdin.readline()
"""

_TRAIN = """
import sys, time
import torch
from gemtrain.models.lookup import build

torch.set_num_threads(2)
model = build("efficientnet_lite0", 9, 96)
optimiser = torch.optim.AdamW(model.parameters())
images, labels = torch.rand(32, 3, 96, 96), torch.arange(32) % 9

def step():
    loss = torch.nn.functional.cross_entropy(model(images), labels)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()

step()
wait_for_load()
count, start = 0, time.perf_counter()
while (passed := time.perf_counter() - start) < float(sys.argv[1]):
    step()
    count += 32
print(count / passed)
"""

_ONNX = """
import sys, time
import io
import numpy as np
import onnxruntime
import torch
from gemtrain.models.lookup import build

torch.set_num_threads(1)
model = build("efficientnet_lite0", 9, 96).eval()
file = io.BytesIO()
program = torch.onnx.export(model, (torch.rand(1, 3, 96, 96),), dynamo=True, verbose=False)
program.save(file)
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 2
options.add_session_config_entry("session.intra_op.allow_spinning", sys.argv[2])
session = onnxruntime.InferenceSession(file.getvalue(), options, providers=["CPUExecutionProvider"])
name, image = session.get_inputs()[0].name, np.random.rand(1, 3, 96, 96).astype(np.float32)
session.run(None, {name: image})
wait_for_load()
count, start = 0, time.perf_counter()
while (passed := time.perf_counter() - start) < float(sys.argv[1]):
    session.run(None, {name: image})
    count += 1
print(count / passed)
"""


class Case(NamedTuple):
    """A program, its arguments, and the environment that it runs in."""

    name: str
    program: str
    environment: Mapping[str, str] = MappingProxyType({})
    arguments: tuple[str, ...] = ()


CASES = (
    Case("training, default", _TRAIN),
    Case("training, OMP_WAIT_POLICY=PASSIVE", _TRAIN, {"OMP_WAIT_POLICY": "PASSIVE"}),
    *(
        Case(f"training, GOMP_SPINCOUNT={count}", _TRAIN, {"GOMP_SPINCOUNT": str(count)})
        for count in (100, 1_000, 10_000)
    ),
    Case("ONNX Runtime, spinning", _ONNX, arguments=("1",)),
    Case("ONNX Runtime, not spinning", _ONNX, arguments=("0",)),
)


@contextmanager
def load(processes: int) -> Iterator[None]:
    """Run busy processes for the duration of the block."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def measured(case: Case, processes: int, seconds: float) -> float:
    """Images a second next to busy processes."""
    kept = {
        name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
    }
    with subprocess.Popen(
        [sys.executable, "-c", _READY + case.program, str(seconds), *case.arguments],
        env={**kept, **case.environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdout.readline()
        with load(processes):
            said, _ = process.communicate("go\n")
    return float(said)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    # Round by round, so that other work on the machine hits all cases alike.
    rates = {
        (case.name, processes, number): measured(case, processes, options.seconds)
        for number in range(options.rounds)
        for processes in LOADS
        for case in CASES
    }
    rows = [
        [
            case.name,
            *(
                f"{median(rates[case.name, processes, number] for number in range(options.rounds)):.0f}"
                for processes in LOADS
            ),
        ]
        for case in CASES
    ]
    print(table(["images a second", *(f"{processes} busy" for processes in LOADS)], rows))


if __name__ == "__main__":
    main()
