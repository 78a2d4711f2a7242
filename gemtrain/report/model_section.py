"""The part of the report about one model."""

from collections.abc import Sequence

from gemkit.html import counted, words
from gemtrain.evaluation.metrics import TOP
from gemtrain.report.page import Html, between, figure, fill, percent, table
from gemtrain.report.results import Result


def model_section(number: int, result: Result) -> Html:
    """Everything that `evaluate` found out about a model. Raises UserError where a table is missing."""
    model = result.metrics["model"]
    return fill(
        '<section id="model-{number}"><h2>{recipe}</h2>\n'
        "<p>{network} with {parameters} parameters, {weights}, on images of {size} × {size} pixels. Measured "
        "on the {measured}.</p>\n"
        "{tiles}{called}{curves}{classes}{confused}{confusion}{calibration}{galleries}{table}</section>\n",
        number=number,
        recipe=result.recipe,
        network=model["network"],
        parameters=f"{model['parameters']:,}",
        weights=weights_words(model["weights"]),
        size=model["image_size"],
        measured=result.measured,
        tiles=_tiles(result),
        called=_called_out(result),
        curves=figure(
            result.folder / "curves.png",
            "Accuracy and loss on training and validation photos after each epoch",
            "After each epoch; dashed where the schedule goes to its next stage.",
        ),
        classes=fill(
            "<h3>Classes it knows best and least</h3>\n{figure}{blind}",
            figure=figure(
                result.folder / "classes.png",
                "Accuracy and precision of the best and of the worst classes",
                "Accuracy: the share of a class's photos that is recognised, with its 95 % interval. "
                "Precision: the share of right ones among the photos that were given this name.",
            ),
            blind=_blind_spots(result),
        ),
        confused=_confused(result),
        confusion=figure(
            result.folder / "confusion.png",
            "Confusion matrix",
            "Each line is a class; numbers or colours say what share of its photos was given which name. "
            "Classes that are mistaken for one another stand together.",
            large=True,
        ),
        calibration=_calibration(result),
        galleries=_galleries(result),
        table=_per_class(result),
    )


def weights_words(weights: str) -> str:
    """What a recipe's `weights` means to a reader."""
    return {"none": "from scratch", "pretrained": "pretrained"}.get(weights, f"weights of {weights}")


def _tiles(result: Result) -> Html:
    metrics = result.metrics
    shown = [(f"top{k}", f"top-{k}") for k in TOP]
    if result.has_species:
        shown.append(("species_top1", f"top-1 of {counted(metrics['species'], 'species', 'species')}"))
    shown.append(("macro_f1", "macro F1"))
    return fill(
        '<dl class="tiles">{tiles}</dl>\n',
        tiles=[
            fill(
                "<div><dd>{share}</dd><dt>{label} {range}</dt></div>\n",
                share=percent(metrics[key]),
                label=label,
                range=between(metrics["intervals"][key]),
            )
            for key, label in shown
        ],
    )


def _called_out(result: Result) -> Html:
    baselines, intervals = result.metrics["baselines"], result.metrics["intervals"]
    if not baselines["below_forest"]:
        return Html("")
    low, high = (-100 * end for end in reversed(intervals["over_forest"]))
    return fill(
        '<p class="called-out"><b>Below the random forest</b> by {points} points of top-1 (95&nbsp;% '
        "interval {low} to {high}, paired): colour and texture counts alone name more photos rightly.</p>\n",
        points=f"{-100 * baselines['over_forest']:.1f}",
        low=f"{low:.1f}",
        high=f"{high:.1f}",
    )


def _blind_spots(result: Result) -> Html:
    names = result.metrics["blind_spots"]
    if not names:
        return Html("<p>No blind spot: of every class at least 20&nbsp;% of the photos are recognised.</p>\n")
    return fill(
        '<p class="called-out"><b>{count}</b>, of which fewer than 20&nbsp;% of the photos are recognised: '
        "{names}.</p>\n",
        count=counted(len(names), "blind spot"),
        names=", ".join(words(name) for name in names),
    )


def _confused(result: Result) -> Html:
    rows = [
        [
            words(row["variety"]),
            row["images"],
            percent(float(row["wrong"])),
            _taken(row["first"], row["first_share"]),
            _taken(row["second"], row["second_share"]),
        ]
        for row in result.table("confused.csv")
    ]
    if not rows:
        return Html("<p>No test photo was mistaken.</p>\n")
    return fill(
        "<h3>Most often mistaken</h3>\n<p>Shares are of the class's test photos.</p>\n{table}",
        table=table(["Class", "Test photos", "Mistaken", "Mostly for", "Then for"], rows, (1, 2)),
    )


def _taken(name: str, share: str) -> Sequence[Html] | str:
    return fill("{name} {share}", name=words(name), share=percent(float(share))) if name else ""


def _calibration(result: Result) -> Html:
    found = result.metrics["calibration"]
    rows = [
        [words, f"{found[f'{key}_before']:.3f}", f"{found[key]:.3f}"]
        for key, words in (
            ("ece", "Calibration error (15 bins of equally many photos)"),
            ("nll", "Negative log likelihood, nats"),
            ("brier", "Brier score, 0 to 2"),
        )
    ]
    return fill(
        '<h3>Is it as sure as it is right?</h3>\n<div class="plots">{figure}<div>{table}'
        '<p class="note">The temperature, {temperature}, was fitted on the validation photos; above 1 it '
        "makes the model less sure, below 1 surer. It changes no answer.</p></div></div>\n",
        figure=figure(
            result.folder / "reliability.png", "Accuracy against confidence, before and after the temperature"
        ),
        table=table(["Lower is better", "Before", "With temperature"], rows, (1, 2)),
        temperature=f"{found['temperature']:.2f}",
    )


def _galleries(result: Result) -> Html:
    shown = (
        (
            "misclassified",
            "The mistakes it is surest of",
            "Mistakes with high confidence are often wrong labels: look twice.",
        ),
        ("correct", "Recognised, from the surest to the least sure", ""),
        ("random", "Test photos at random", ""),
    )
    return fill(
        "<h3>Photos</h3>\n<p>The name is the class; the confidence is the one after the temperature. A group "
        'of photos is in the first two once.</p>\n<div class="plots">{figures}</div>\n',
        figures=[
            figure(result.folder / f"{name}.jpg", title, f"{title}. {more}") for name, title, more in shown
        ],
    )


def _per_class(result: Result) -> Html:
    found = result.table("per_class.csv")
    has_species = any(row["species"] for row in found)
    rows = [
        [
            words(row["variety"]),
            *([words(row["species"])] if has_species else []),
            row["training_photos"],
            row["images"],
            row["groups"],
            percent(float(row["recall"]), (float(row["recall_low"]), float(row["recall_high"]))),
            percent(float(row["precision"])),
            percent(float(row["f1"])),
        ]
        for row in found
    ]
    header = ["Class", *["Species"] * has_species]
    header += ["Training photos", "Test photos", "Groups", "Accuracy", "Precision", "F1"]
    return fill(
        "<details><summary>All {count}</summary>\n{table}</details>\n",
        count=counted(len(rows), "class", "classes"),
        table=table(header, rows, range(1 + has_species, len(header))),
    )
