"""`gemtrain`: balanced datasets → models, metrics and figures."""

from pathlib import Path
from typing import Annotated

import typer

from gemkit.cli import listed_in_params, new_app
from gemkit.errors import run_command
from gemkit.project import PARAMS, Project, current_project

app = new_app("gemtrain", "Train networks on data/datasets/<dataset> and evaluate them on its test split.")


def _recipe_names() -> list[str]:
    from gemtrain.recipe import recipe_names

    return recipe_names()


def _model_names() -> list[str]:
    models = Project().models
    return [path.parent.relative_to(models).as_posix() for path in models.glob("*/*/model.json")]


DatasetName = Annotated[
    str,
    typer.Option(
        "--dataset",
        help="Name of a dataset in data/datasets, or a path: class folders of images, Parquet, .mat.",
        autocompletion=listed_in_params("datasets"),
    ),
]
RecipeName = Annotated[
    str,
    typer.Option("--recipe", help="Name of a recipe (gemtrain recipes).", autocompletion=_recipe_names),
]
Device = Annotated[
    str | None, typer.Option("--device", help="cpu or cuda; selected automatically when left out.")
]
ParamsPath = Annotated[Path, typer.Option("--params", help="The parameter file.")]


@app.command()
def train(
    dataset: DatasetName, recipe: RecipeName, device: Device = None, params: ParamsPath = PARAMS
) -> None:
    """Train a recipe on a dataset into models/<dataset>/<recipe>; a stopped training is resumed."""
    project = current_project(params)
    from gemtrain.recipe import load_settings

    settings, seed = load_settings(params, recipe)
    dataset = _dataset_name(project, dataset)
    from gemtrain.training.train import train as train_model

    metadata = train_model(project, dataset, settings, seed, device)
    print(
        f"{dataset}/{recipe}: {metadata.parameters:,} parameters, epoch {metadata.best_epoch} of "
        f"{metadata.epochs} selected, validation accuracy {metadata.validation_accuracy:.3f}"
    )


@app.command()
def network(recipe: RecipeName, params: ParamsPath = PARAMS) -> None:
    """Write the hashes of the code that a recipe's network uses into data/networks, for DVC."""
    project = current_project(params)
    from gemtrain.models.fingerprint import write_fingerprint
    from gemtrain.recipe import load_settings

    settings, _ = load_settings(params, recipe)
    content = write_fingerprint(project, settings)
    print(f"{recipe}: network {settings.network}, {len(content) - 1} files")


@app.command()
def evaluate(
    dataset: DatasetName, recipe: RecipeName, device: Device = None, params: ParamsPath = PARAMS
) -> None:
    """Evaluate a model on the test split: metrics/, data/predictions/ and plots/<dataset>/<recipe>."""
    project = current_project(params)
    from gemtrain.recipe import check_evaluate_section, load_settings

    load_settings(params, recipe)
    check_evaluate_section(params)
    dataset = _dataset_name(project, dataset)
    from gemtrain.evaluation.evaluate import evaluate as evaluate_model
    from gemtrain.report.summary import summary

    for line in summary(evaluate_model(project, dataset, recipe, device)):
        print(line)


def _dataset_name(project: Project, dataset: str) -> str:
    """The name of a dataset given by name or by path; one at a path is imported first."""
    from gemtrain.importers.import_dataset import import_dataset

    name, notes = import_dataset(project, dataset)
    for note in notes:
        print(note)
    return name


@app.command()
def export(
    dataset: DatasetName,
    recipe: RecipeName,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="The folder to write; exports/<dataset>/<recipe> when left out."),
    ] = None,
) -> None:
    """Export a trained model to ONNX, float and int8, checked against PyTorch, with a model card."""
    project = current_project()
    dataset = _dataset_name(project, dataset)
    from gemtrain.device import choose_device
    from gemtrain.export.export import export as export_model

    choose_device("cpu")
    for line in export_model(project, dataset, recipe, out):
        print(line)


@app.command()
def compare(
    first: Annotated[
        str, typer.Argument(help="An evaluated model, <dataset>/<recipe>.", autocompletion=_model_names)
    ],
    second: Annotated[
        str, typer.Argument(help="An evaluated model, <dataset>/<recipe>.", autocompletion=_model_names)
    ],
) -> None:
    """Compare two models on the test images and classes that both have, paired, with intervals."""
    project = current_project()
    from gemtrain.report.compare import compare_models

    for line in compare_models(project, first, second):
        print(line)


@app.command()
def predict(
    images: Annotated[
        list[Path],
        typer.Argument(help="Images (JPEG, PNG, WebP, …), or folders, searched recursively."),
    ],
    model: Annotated[
        str, typer.Option("--model", help="A trained model, <dataset>/<recipe>.", autocompletion=_model_names)
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array, for programs.")] = False,
    device: Device = None,
) -> None:
    """Predict the varieties of the stones on images, with probabilities and whether the model is sure."""
    project = current_project()
    from gemtrain.inference.predict import predict_images

    for line in predict_images(project, images, model, as_json, device):
        print(line, flush=True)


@app.command()
def report(
    dataset: Annotated[
        list[str] | None,
        typer.Option(
            "--dataset",
            help="A dataset; all with evaluated models when left out.",
            autocompletion=listed_in_params("datasets"),
        ),
    ] = None,
) -> None:
    """Write reports/training-<dataset>.html: the evaluated models compared, and each in detail."""
    project = current_project()
    from gemtrain.report.report import report as write_report

    for line in write_report(project, dataset or []):
        print(line)


@app.command()
def recipes(
    explain: Annotated[
        bool, typer.Option("--explain", help="Explain every key of a recipe instead: type, default, meaning.")
    ] = False,
) -> None:
    """List the recipes with their sources and published results."""
    from gemtrain.recipe_list import explain_keys, recipe_lines

    for line in explain_keys() if explain else recipe_lines():
        print(line)


def main() -> None:
    """Entry point of the console script."""
    run_command(lambda: app(prog_name="gemtrain"))
