"""Balanced datasets → networks, their metrics and figures, and what is done with a trained network."""

import os

# OpenMP's waiting threads spin for as long as a busy core lets them, and starve themselves and all else:
# `python -m benchmarks.training.busy_machine`. libgomp reads this once, when torch is imported.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
