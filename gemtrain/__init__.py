"""gemtrain: train models on balanced datasets, evaluate and export them."""

import os

# Waiting OpenMP threads spin. Without a limit they starve each other on a busy machine
# (`python -m benchmarks.training.busy_machine`). libgomp reads this once, when torch is imported.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
