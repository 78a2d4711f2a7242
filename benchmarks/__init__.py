"""Benchmarks: modules with a `main()`. All: `python -m benchmarks`; one: `python -m benchmarks.<name>`."""
