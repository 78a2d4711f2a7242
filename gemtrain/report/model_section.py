"""The section of the report about one model."""

from collections.abc import Sequence

from gemkit.html import counted, words
from gemtrain.evaluation.metrics import TOP
from gemtrain.report.page import Html, between, figure, fill, percent, table
from gemtrain.report.results import Result


def model_section(number: int, result: Result) -> Html:
    """All results of `evaluate` for a model. Raises UserError when a table is missing."""
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
            "Accuracy and loss on training and validation images after each epoch",
            "After each epoch; dashed lines mark the start of the schedule's next stage.",
        ),
        classes=fill(
            "<h3>Best and worst classes</h3>\n{figure}{blind}",
            figure=figure(
                result.folder / "classes.png",
                "Accuracy and precision of the best and of the worst classes",
                "Accuracy: the share of a class's images that are recognised, with its 95 % interval. "
                "Precision: the share of correct ones among the images predicted as this class.",
            ),
            blind=_blind_spots(result),
        ),
        confused=_confused(result),
        confusion=figure(
            result.folder / "confusion.png",
            "Confusion matrix",
            "Each row is a class; numbers or colours show the share of its images predicted as each class. "
            "Classes that are confused with each other are next to each other.",
            large=True,
        ),
        calibration=_calibration(result),
        galleries=_galleries(result),
        table=_per_class(result),
    )


def weights_words(weights: str) -> str:
    """A recipe's `weights` in words."""
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
        "interval {low} to {high}, paired): counts of colours and textures alone classify more images "
        "correctly.</p>\n",
        points=f"{-100 * baselines['over_forest']:.1f}",
        low=f"{low:.1f}",
        high=f"{high:.1f}",
    )


def _blind_spots(result: Result) -> Html:
    names = result.metrics["blind_spots"]
    if not names:
        return Html("<p>No blind spot: at least 20&nbsp;% of the images of every class are recognised.</p>\n")
    return fill(
        '<p class="called-out"><b>{count}</b>, classes with fewer than 20&nbsp;% of the images recognised: '
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
            _confused_with(row["first"], row["first_share"]),
            _confused_with(row["second"], row["second_share"]),
        ]
        for row in result.table("confused.csv")
    ]
    if not rows:
        return Html("<p>No test image was misclassified.</p>\n")
    return fill(
        "<h3>Most often confused</h3>\n<p>Shares are of the class's test images.</p>\n{table}",
        table=table(["Class", "Test images", "Misclassified", "Mostly as", "Then as"], rows, (1, 2)),
    )


def _confused_with(name: str, share: str) -> Sequence[Html] | str:
    return fill("{name} {share}", name=words(name), share=percent(float(share))) if name else ""


def _calibration(result: Result) -> Html:
    found = result.metrics["calibration"]
    rows = [
        [words, f"{found[f'{key}_before']:.3f}", f"{found[key]:.3f}"]
        for key, words in (
            ("ece", "Calibration error (15 bins of equally many images)"),
            ("nll", "Negative log likelihood, nats"),
            ("brier", "Brier score, 0 to 2"),
        )
    ]
    return fill(
        '<h3>Calibration</h3>\n<div class="plots">{figure}<div>{table}'
        '<p class="note">The temperature, {temperature}, was fitted on the validation images; above 1 it '
        "lowers the confidence, below 1 it raises it. It does not change any prediction.</p></div></div>\n",
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
            "Most confident mistakes",
            "Mistakes with high confidence are often wrong labels: check them.",
        ),
        ("correct", "Correct predictions, from the most to the least confident", ""),
        ("random", "Random test images", ""),
    )
    return fill(
        "<h3>Images</h3>\n<p>The name is the class; the confidence is calibrated. Each group of images "
        'is in the first two at most once.</p>\n<div class="plots">{figures}</div>\n',
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
    header += ["Training source images", "Test images", "Groups", "Accuracy", "Precision", "F1"]
    return fill(
        "<details><summary>All {count}</summary>\n{table}</details>\n",
        count=counted(len(rows), "class", "classes"),
        table=table(header, rows, range(1 + has_species, len(header))),
    )
