"""`gemtrain`: balanced datasets → models, metrics and figures."""

from pathlib import Path
from typing import Annotated

import typer

from gemkit.errors import run_command
from gemkit.params import DEFAULT_PATH

app = typer.Typer(
    help="Train networks on data/datasets/<dataset> and evaluate them on its test split.",
    pretty_exceptions_enable=False,
    no_args_is_help=True,
)

DatasetName = Annotated[str, typer.Option("--dataset", help="Name of a dataset in data/datasets.")]
RecipeName = Annotated[str, typer.Option("--recipe", help="Name of a recipe (gemtrain recipes).")]
Device = Annotated[str | None, typer.Option("--device", help="cpu or cuda; chosen by itself when left out.")]
ParamsPath = Annotated[Path, typer.Option("--params", help="The parameter file.")]


@app.command()
def train(
    dataset: DatasetName, recipe: RecipeName, device: Device = None, params: ParamsPath = DEFAULT_PATH
) -> None:
    """Train a recipe on a dataset into models/<dataset>/<recipe>; run again, it continues."""
    from gemtrain.recipe import load_settings

    settings, seed = load_settings(params, recipe)
    from gemtrain.device import choose_device
    from gemtrain.train import train as train_model

    about = train_model(dataset, recipe, settings, seed, choose_device(device))
    print(
        f"{dataset}/{recipe}: {about['parameters']:,} parameters, best of {about['epochs']} epochs is "
        f"{about['best_epoch']} with validation accuracy {about['validation_accuracy']:.3f}"
    )


@app.command()
def evaluate(
    dataset: DatasetName, recipe: RecipeName, device: Device = None, params: ParamsPath = DEFAULT_PATH
) -> None:
    """Measure a trained model on the test split: metrics/, data/predictions/ and plots/<dataset>/<recipe>."""
    from gemtrain.recipe import check_evaluate_section, load_settings

    load_settings(params, recipe)
    check_evaluate_section(params)
    from gemtrain.device import choose_device
    from gemtrain.evaluate import evaluate as evaluate_model

    for line in evaluate_model(dataset, recipe, choose_device(device)):
        print(line)


@app.command()
def recipes() -> None:
    """List the recipes."""
    from gemtrain.recipe import load_recipe, recipe_names

    for name in recipe_names():
        recipe = load_recipe(name)
        print(f"{name:24} {recipe.network} at {recipe.image_size} px: {recipe.description}")


def main() -> None:
    """Entry point of the console script."""
    run_command(app)


if __name__ == "__main__":
    main()
