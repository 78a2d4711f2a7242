"""Run all benchmarks one after another, except those that take hours."""

import importlib
import pkgutil
from collections.abc import Iterator

import benchmarks

#: These take hours and are run one at a time.
_HOURS = {"benchmarks.training.ablation", "benchmarks.training.folds", "benchmarks.training.published"}


def names() -> Iterator[str]:
    """The modules that are benchmarks; names that begin with an underscore are private."""
    for module in pkgutil.walk_packages(benchmarks.__path__, f"{benchmarks.__name__}."):
        if not module.ispkg and not module.name.rpartition(".")[2].startswith("_"):
            yield module.name


def main() -> None:
    """Run them."""
    for name in names():
        print(f"\n== {name}", flush=True)
        if name in _HOURS:
            print(f"takes hours; run it separately: 'python -m {name}'")
        else:
            importlib.import_module(name).main()


if __name__ == "__main__":
    main()
