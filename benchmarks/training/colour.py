"""Baselines of colour and texture: top-1 of random forests on the test images of a dataset.

python -m benchmarks.training.colour [DATASET …]
"""

import sys

from gemkit.project import Project
from gemkit.stats.confidence_intervals import GroupBootstrap
from gemtrain.data.dataset import Dataset
from gemtrain.evaluation.baselines import COLOUR, COLOUR_AND_TEXTURE, TEXTURE, forest
from gemtrain.evaluation.metrics import ranks

FEATURES = {
    "colour": (COLOUR,),
    "texture": (TEXTURE,),
    "colour and texture": COLOUR_AND_TEXTURE,
}


def main() -> None:
    """Print a line for each kind of features of each dataset (default: all in data/datasets)."""
    project = Project()
    for name in sys.argv[1:] or sorted(path.name for path in project.datasets.glob("*")):
        dataset = Dataset(project, name)
        test = dataset.splits["test"]
        bootstrap = GroupBootstrap(test.groups)
        print(f"{name}, version {dataset.version}: {len(test)} test images of {len(set(test.groups))} groups")
        for words, features in FEATURES.items():
            hits = ranks(test.labels.numpy(), forest(dataset, 0, features)) < 1
            low, high = bootstrap.mean(hits)
            print(f"  {words:20} {hits.mean():.3f} [{low:.3f}, {high:.3f}]")


if __name__ == "__main__":
    main()
