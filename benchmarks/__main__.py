"""Run every benchmark, one after the other, but those that take hours."""

import importlib
import pkgutil

import benchmarks

_HOURS = {"ablation", "folds", "published"}

for module in pkgutil.iter_modules(benchmarks.__path__):
    if module.name.startswith("_"):
        continue
    print(f"\n== {module.name}", flush=True)
    if module.name in _HOURS:
        print(f"takes hours: run it by itself, 'python -m benchmarks.{module.name}'")
        continue
    importlib.import_module(f"benchmarks.{module.name}").main()
