"""gemtrain: train models on balanced datasets, evaluate and export them."""

import os
from typing import TYPE_CHECKING

from gemkit.lazy import lazy_exports

# Waiting OpenMP threads spin. Without a limit they starve each other on a busy machine
# (`python -m benchmarks.training.busy_machine`). libgomp reads this once, when torch is imported.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")

if TYPE_CHECKING:
    from gemkit.project import Project
    from gemtrain.data.dataset import Dataset
    from gemtrain.evaluation.evaluate import evaluate
    from gemtrain.evaluation.records import Evaluation
    from gemtrain.importers.import_dataset import load_dataset
    from gemtrain.inference.predict import Predictor
    from gemtrain.inference.prediction import Prediction
    from gemtrain.model_metadata import ModelMetadata
    from gemtrain.models.factory import build_model
    from gemtrain.recipe import Recipe, load_recipe
    from gemtrain.training.train import train

__all__ = [
    "Dataset",
    "Evaluation",
    "ModelMetadata",
    "Prediction",
    "Predictor",
    "Project",
    "Recipe",
    "build_model",
    "evaluate",
    "load_dataset",
    "load_recipe",
    "train",
]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "Dataset": "gemtrain.data.dataset",
        "Evaluation": "gemtrain.evaluation.records",
        "ModelMetadata": "gemtrain.model_metadata",
        "Prediction": "gemtrain.inference.prediction",
        "Predictor": "gemtrain.inference.predict",
        "Project": "gemkit.project",
        "Recipe": "gemtrain.recipe",
        "build_model": "gemtrain.models.factory",
        "evaluate": "gemtrain.evaluation.evaluate",
        "load_dataset": "gemtrain.importers.import_dataset",
        "load_recipe": "gemtrain.recipe",
        "train": "gemtrain.training.train",
    },
)
