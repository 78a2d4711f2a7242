"""Measurements, each a module with `main()`: `python -m benchmarks` runs all, `python -m benchmarks.NAME` one."""
