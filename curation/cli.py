"""The command `gemcurate`: turn raw images into measurements, decisions, crops, a split and datasets."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from gemkit.cli import listed_in_params, new_app, new_group
from gemkit.errors import UserError, run_command
from gemkit.project import PARAMS, current_project

app = new_app("gemcurate", "Curate the crawled images: measure, clean, crop, split, balance.")
taxonomy_app = new_group("Check and query the taxonomy of the stores' class names.")
app.add_typer(taxonomy_app, name="taxonomy")
content_app = new_group("Teach the content head what your pictures show.")
app.add_typer(content_app, name="content")

#: How many lines of a file a note names.
_MOST_LINES = 5

Params = Annotated[Path, typer.Option("--params", help="The parameter file.")]


@app.command("measure")
def measure_command(
    site: Annotated[
        str,
        typer.Option(help="The site whose images are measured.", autocompletion=listed_in_params("sites")),
    ],
    params: Params = PARAMS,
) -> None:
    """Measure each stored image of a site, once per image."""
    from curation.measurement.measure import measure
    from curation.measurement.params import read_measure
    from curation.params import read_limits

    project = current_project(params)
    summary = measure(project, site, read_measure(params), read_limits(params, "measure"))
    _show(f"measure {site}", vars(summary))


@app.command("clean")
def clean_command(params: Params = PARAMS) -> None:
    """Decide which images are kept, with a reason for each that is not."""
    from curation.cleaning.clean import clean
    from curation.cleaning.params import read_clean
    from curation.params import read_sites

    project, settings = current_project(params), read_clean(params)
    summary = clean(project, read_sites(params), settings)
    if summary.unused_decisions:
        typer.echo(_unused(settings.decisions_file(project), summary.unused_decisions), err=True)
    for note in _unknown(summary.unknown_names):
        typer.echo(note, err=True)
    _show("clean", summary.metrics.to_json())


@app.command("crop")
def crop_command(params: Params = PARAMS) -> None:
    """Cut the stone out of each kept image."""
    from curation.cropping.crop import crop
    from curation.cropping.params import read_crop
    from curation.params import read_limits

    project = current_project(params)
    summary = crop(project, read_crop(params), read_limits(params, "crop"))
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
def split_command(params: Params = PARAMS) -> None:
    """Split the kept images into training, validation and test, group by group."""
    from curation.datasets.params import read_split
    from curation.datasets.split import split

    summary = split(current_project(params), read_split(params))
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
    params: Params = PARAMS,
) -> None:
    """Write a dataset with equally many training images per class."""
    from curation.cropping.params import read_crop
    from curation.datasets.balance import balance
    from curation.datasets.params import read_balance, read_dataset

    project, settings = current_project(params), read_dataset(params, dataset)
    summary = balance(project, dataset, settings, read_balance(params).orientations, read_crop(params))
    _show(f"balance {dataset}", vars(summary))


@app.command("report")
def report_command(
    output: Annotated[Path, typer.Option(help="The page to write.")] = Path("reports/curation.html"),
    params: Params = PARAMS,
) -> None:
    """Write a page about the dataset: sources, classes, dropped images, duplicates, split."""
    from curation.cleaning.params import read_clean
    from curation.cropping.params import read_crop
    from curation.datasets.params import read_balance
    from curation.params import read_sites
    from curation.report import report

    project = current_project(params)
    summary = report(
        project, read_sites(params), read_clean(params), read_crop(params), read_balance(params), output
    )
    _show("report", vars(summary))


@app.command("show")
def show_command(
    image: Annotated[Path, typer.Argument(help="Any image file.")],
    steps: Annotated[bool, typer.Option("--steps", help="Draw original, edges, mask, box and crop.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="The PNG to write; by default <image>-crop.png or <image>-steps.png.")
    ] = None,
    params: Params = PARAMS,
) -> None:
    """Write the crop of an image, or the intermediate steps, as PNG, and print what was found."""
    from curation.cropping.params import read_crop
    from curation.inspect.show import show

    current_project(params)
    _show(str(image), show(image, read_crop(params), steps, out))


@app.command("steps")
def steps_command(params: Params = PARAMS) -> None:
    """Draw how the stones of a few kept images are found, as plots/canny_steps.png."""
    from curation.cropping.params import read_crop
    from curation.inspect.steps import steps
    from curation.params import read_limits

    project = current_project(params)
    _show("steps", steps(project, read_crop(params), read_limits(params, "crop")))


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


@content_app.command("fit")
def content_fit(
    labels: Annotated[
        Path, typer.Option(help="A CSV file with the columns file and label, and maybe note and source.")
    ],
    params: Params = PARAMS,
) -> None:
    """Refit the content head to labelled pictures, and say what it gains on sources it was not fitted to."""
    from curation.content.refit import refit
    from curation.params import read_limits

    summary = refit(current_project(params), labels, read_limits(params, "measure"))
    changes = {"right": summary.right, "log loss": summary.log_loss}
    _show(
        str(labels),
        {
            "pictures": summary.pictures,
            "sources": summary.sources,
            "classes of your own": summary.own_classes,
            "before → after by folds": {
                name: f"{change.before:.3f} → {change.after:.3f}, difference {change.difference}"
                for name, change in changes.items()
            },
            "right, by class": {
                name: f"{change.before:.2f} → {change.after:.2f} of {change.pictures:,}"
                for name, change in summary.classes.items()
            },
            "head": summary.written or "not written, because the log loss did not fall",
        },
    )


@taxonomy_app.command("check")
def taxonomy_check(params: Params = PARAMS) -> None:
    """Check the taxonomy for cycles, ambiguous names, unknown species and impossible numbers."""
    from curation.cleaning.params import read_clean
    from curation.taxonomy.taxonomy import check_taxonomy, read_taxonomy

    project, settings = current_project(params), read_clean(params)
    file = settings.taxonomy_file(project)
    findings = check_taxonomy(file)
    for sentence in findings:
        typer.echo(sentence, err=True)
    if findings:
        counted = "1 finding; correct it" if len(findings) == 1 else f"{len(findings)} findings; correct them"
        raise UserError(f"'{file}' has {counted}.")
    content = read_taxonomy(file, settings.merge).content
    _show(
        str(file),
        {
            "groups": len(content.group),
            "species": len(content.species),
            "varieties": len(content.variety),
            "names": len(list(content.names())),
            "names of no variety": len(content.ignored),
        },
    )


@taxonomy_app.command("find")
def taxonomy_find(name: str, params: Params = PARAMS) -> None:
    """Show what a store's class name stands for, with fuzzy matching."""
    from curation.cleaning.params import read_clean
    from curation.taxonomy.lookup import look_up

    project = current_project(params)
    _show(name, look_up(name, read_clean(params).taxonomy_file(project)))


@taxonomy_app.command("links")
def taxonomy_links(
    file: Annotated[
        Path, typer.Argument(help="A CSV file, may be gzipped, with the columns class and image_url.")
    ],
    params: Params = PARAMS,
) -> None:
    """Resolve the class names of a list of links, as `clean` does: unknown ones, and several of one image."""
    from curation.cleaning.params import read_clean
    from curation.taxonomy.resolve_links import resolve_links
    from curation.taxonomy.taxonomy import read_taxonomy
    from scraper.stores.config import LinkFile
    from scraper.stores.link_list import read_links

    project, settings = current_project(params), read_clean(params)
    taxonomy = read_taxonomy(settings.taxonomy_file(project), settings.merge)
    found = read_links(LinkFile(links=file))
    for note in found.notes:
        typer.echo(note, err=True)
    resolved = resolve_links(found.links, taxonomy)
    _show(str(file), resolved.summary())
    for listing in resolved.listings:
        typer.echo(f"{listing.images:>7,}  {listing}")
    if resolved.unknown:
        typer.echo("Class names of no variety, with their links:")
    for unknown in resolved.unknown:
        typer.echo(f"{unknown.links:>7,}  {unknown}")


def _unused(file: Path | None, lines: Sequence[int]) -> str:
    """The note on decisions that are about an image that no site has."""
    if len(lines) == 1:
        return f"'{file}' has 1 decision on an image that no site has, in line {lines[0]}."
    first = "the first " if len(lines) > _MOST_LINES else ""
    numbers = ", ".join(map(str, lines[:_MOST_LINES]))
    return f"'{file}' has {len(lines):,} decisions on images that no site has, {first}in lines {numbers}."


def _unknown(names: Mapping[str, int]) -> Iterator[str]:
    """The notes on class names that the taxonomy does not know, those of most images first."""
    from gemkit.html import counted

    for text, count in list(names.items())[:_MOST_LINES]:
        yield f"{counted(count, 'image')} dropped: {text}"
    if len(names) > _MOST_LINES:
        yield f"{len(names) - _MOST_LINES:,} more class names are unknown; 'gemcurate report' lists them."


def _show(title: str, summary: Mapping[str, object]) -> None:
    """Print a stage's summary; a nested dictionary becomes a section."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=False)
    table.add_column()
    table.add_column(justify="right", overflow="fold")
    for key, value in summary.items():
        if value and isinstance(value, dict):
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
        texts = [f"{key} ({text})" if nested else f"{key} {text}" for key, text, nested in inner]
        return ", ".join(texts) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(_words(item) for item in value) or "none"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"


def main() -> None:
    """The console script: exit code 2 on bad input, 130 on Ctrl-C."""
    run_command(lambda: app(prog_name="gemcurate"))
