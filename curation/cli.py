"""The command `gemcurate`: turn raw images into measurements, decisions, crops, a split and datasets."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from gemkit.cli import listed_in_params, new_app, new_group
from gemkit.errors import UserError, run_command
from gemkit.params import DEFAULT_PATH

app = new_app("gemcurate", "Curate the crawled images: measure, clean, crop, split, balance.")
taxonomy_app = new_group("Check and query the taxonomy of the stores' class names.")
app.add_typer(taxonomy_app, name="taxonomy")

Params = Annotated[Path, typer.Option("--params", help="The configuration file.")]


@app.command("measure")
def measure_command(
    site: Annotated[
        str,
        typer.Option(help="The site whose images are measured.", autocompletion=listed_in_params("sites")),
    ],
    params: Params = DEFAULT_PATH,
) -> None:
    """Measure each stored image of a site, once per image."""
    from curation.measurement.measure import measure

    _show(f"measure {site}", vars(measure(site, params)))


@app.command("clean")
def clean_command(params: Params = DEFAULT_PATH) -> None:
    """Decide which images are kept, with a reason for each that is not."""
    from curation.cleaning.clean import clean

    _show("clean", clean(params).to_json())


@app.command("crop")
def crop_command(params: Params = DEFAULT_PATH) -> None:
    """Cut the stone out of each kept image."""
    from curation.cropping.crop import crop

    summary = crop(params)
    _show(
        "crop",
        {
            "images": summary.images,
            "cropped now": summary.cropped_now,
            "methods": summary.methods,
            "network": ", ".join(summary.providers) or "not needed",
            "given up": summary.given_up,
        },
    )


@app.command("split")
def split_command(params: Params = DEFAULT_PATH) -> None:
    """Split the kept images into training, validation and test, group by group."""
    from curation.datasets.split import split

    summary = split(params)
    _show(
        "split",
        {
            "images": {name: count.images for name, count in summary.splits.items()},
            "groups": {name: count.groups for name, count in summary.splits.items()},
            "varieties": {
                variety: {name: count._asdict() for name, count in counts.items()}
                for variety, counts in summary.varieties.items()
            },
            "too few groups": summary.too_few_groups,
        },
    )


@app.command("balance")
def balance_command(
    dataset: Annotated[
        str, typer.Option(help="A dataset in balance.datasets.", autocompletion=listed_in_params("datasets"))
    ],
    params: Params = DEFAULT_PATH,
) -> None:
    """Write a dataset with equally many training images per class."""
    from curation.datasets.balance import balance

    _show(f"balance {dataset}", vars(balance(params, dataset)))


@app.command("report")
def report_command(
    output: Annotated[Path, typer.Option(help="The page to write.")] = Path("reports/curation.html"),
    params: Params = DEFAULT_PATH,
) -> None:
    """Write a page about the dataset: sources, classes, dropped images, duplicates, split."""
    from curation.report import report

    _show("report", vars(report(params, output)))


@app.command("show")
def show_command(
    image: Annotated[Path, typer.Argument(help="Any image file.")],
    steps: Annotated[bool, typer.Option("--steps", help="Draw original, edges, mask, box and crop.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="The PNG to write; by default <image>-crop.png or <image>-steps.png.")
    ] = None,
    params: Params = DEFAULT_PATH,
) -> None:
    """Write the crop of an image, or the intermediate steps, as PNG, and print what was found."""
    from curation.inspect.show import show

    _show(str(image), show(image, params, steps, out))


@app.command("steps")
def steps_command(params: Params = DEFAULT_PATH) -> None:
    """Draw how the stones of a few kept images are found, as plots/canny_steps.png."""
    from curation.inspect.steps import steps

    _show("steps", steps(params))


@app.command("models")
def models_command(
    model: Annotated[str | None, typer.Argument(help="Fetch and verify the weights of this model.")] = None,
) -> None:
    """List the background models and the paths of their weights, or fetch and verify one model's weights."""
    from curation.cropping.rembg_weights import fetch, local_weights, models

    if model:
        _show("models", {model: str(fetch(model))})
    else:
        _show("models", {name: str(local_weights(name) or "not fetched") for name in models()})


@taxonomy_app.command("check")
def taxonomy_check(params: Params = DEFAULT_PATH) -> None:
    """Check the taxonomy for cycles, ambiguous names, unknown species and impossible numbers."""
    from curation.cleaning.params import read_clean
    from curation.taxonomy.taxonomy import check_taxonomy, read_taxonomy

    settings = read_clean(params)
    findings = check_taxonomy(settings.taxonomy)
    for sentence in findings:
        typer.echo(sentence, err=True)
    if findings:
        raise UserError(f"'{settings.taxonomy}' has {len(findings)} findings; correct them.")
    content = read_taxonomy(settings.taxonomy, settings.merge).content
    _show(
        str(settings.taxonomy),
        {
            "groups": len(content.group),
            "species": len(content.species),
            "varieties": len(content.variety),
            "names": len(list(content.names())),
            "names of no variety": len(content.ignored),
        },
    )


@taxonomy_app.command("find")
def taxonomy_find(name: str, params: Params = DEFAULT_PATH) -> None:
    """Show what a store's class name stands for, with fuzzy matching."""
    from curation.cleaning.params import read_clean
    from curation.taxonomy.lookup import look_up

    _show(name, look_up(name, read_clean(params).taxonomy))


@taxonomy_app.command("links")
def taxonomy_links(
    file: Annotated[
        Path, typer.Argument(help="A CSV file, may be gzipped, with the columns class and image_url.")
    ],
    params: Params = DEFAULT_PATH,
) -> None:
    """Resolve every image URL that a list of links puts under several classes, as `clean` does."""
    from curation.cleaning.params import read_clean
    from curation.taxonomy.multi_listed import resolve_multi_listed
    from curation.taxonomy.taxonomy import read_taxonomy
    from scraper.stores.config import LinkFile
    from scraper.stores.link_list import read_links

    settings = read_clean(params)
    taxonomy = read_taxonomy(settings.taxonomy, settings.merge)
    found = read_links(LinkFile(links=file))
    for note in found.notes:
        typer.echo(note, err=True)
    multi_listed = resolve_multi_listed(found.links, taxonomy)
    _show(str(file), multi_listed.summary())
    for listing in multi_listed.listings:
        typer.echo(f"{listing.images:>7,}  {listing}")


def _show(title: str, summary: Mapping[str, object]) -> None:
    """Print a stage's summary; a nested dictionary becomes a section."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=False)
    table.add_column()
    table.add_column(justify="right", overflow="fold")
    for key, value in summary.items():
        if isinstance(value, dict):
            table.add_section()
            table.add_row(Text(_words(key), style="bold"), "")
            for name, inner in value.items():
                table.add_row(Text(f"  {_words(name)}"), Text(_value(inner)))
            table.add_section()
        else:
            table.add_row(Text(_words(key)), Text(_value(value)))
    console = Console()
    console.print(Text(title, style="bold"))
    console.print(table)


def _words(key: object) -> str:
    return str(key).replace("_", " ")


def _value(value: object) -> str:
    if isinstance(value, dict):
        inner = ((_words(key), _value(item), isinstance(item, dict)) for key, item in value.items())
        return ", ".join(f"{key} ({text})" if nested else f"{key} {text}" for key, text, nested in inner)
    if isinstance(value, list | tuple):
        return ", ".join(_words(item) for item in value) or "none"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"


def main() -> None:
    """The console script: exit code 2 on bad input, 130 on Ctrl-C."""
    run_command(lambda: app(prog_name="gemcurate"))
