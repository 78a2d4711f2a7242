"""A trained model together with the dataset that it learnt from."""

from typing import Any

from gemkit.errors import UserError
from gemtrain.data import Dataset
from gemtrain.models import Classifier
from gemtrain.store import model_folder, read_model


def read_trained(dataset: Dataset, recipe: str) -> tuple[Classifier, dict[str, Any]]:
    """The model of a recipe, on the CPU, and the content of its model.json.

    Raises UserError when it is missing, or learnt from another version of the dataset than this one.
    """
    model, about = read_model(dataset.name, recipe)
    if about["varieties"] != dataset.varieties:
        raise UserError(
            f"The model in '{model_folder(dataset.name, recipe)}' knows other classes than the dataset "
            f"'{dataset.name}' has; train it again."
        )
    if about["dataset_version"] != dataset.version:
        raise UserError(
            f"The model in '{model_folder(dataset.name, recipe)}' learnt from another version of the "
            f"dataset '{dataset.name}', whose photos may be among the test photos now; train it again."
        )
    return model, about
