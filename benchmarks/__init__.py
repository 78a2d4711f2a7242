"""Measurements, each a module with `main()`: all by `python -m benchmarks`, one by `-m benchmarks.NAME`."""
