"""Images of which only the measurements exist, for the cleaning rules."""

import pyarrow as pa

from curation.cleaning.image_table import ImageTable
from curation.cleaning.reasons import Reason
from curation.cleaning.rule_set import load_rules
from curation.measurement.shape_features import ShapeFeatures
from curation.tables import MEASURED

#: Measurements of an image that no rule drops.
GOOD: dict[str, object] = {
    "width": 500, "height": 400, "bytes": 20_000, "darkest": 20.0, "brightest": 95.0, "clipped_share": 0.0,
    "sharpness": 25.0, "background_uniformity": 0.6, "background_lab": [80.0, 0.0, 0.0],
    "background_residual": 1.0, "skin_region_share": 0.0, "skin_border_share": 0.0,
    "border_component_share": 0.0, "border_component_run": 0.0, "border_component_spread": 0.0,
    "stones": 1, "stone_contrast": 50.0, "stone_share": 0.3, "stone_solidity": 0.97, "stone_elongation": 1.2,
    "stone_flatness": 0.1, "stone_spread": 5.0, "stone_box": [0.2, 0.2, 0.8, 0.8],
    "shape_features": dict.fromkeys(ShapeFeatures._fields, 0.0), "stroke_density": 0.1, "text_boxes": 1,
    "text_area": 0.6, "text_over_stone": 0,
}  # fmt: skip

#: Settings with which a rule follows only its own signs, whatever the content classifier says.
SIGNS_ONLY = {
    rule: {"veto_probability": 0.0, "min_probability": 1.0} for rule in ("hand", "several", "no_stone")
}


def synthetic_images(*measured: dict[str, object], file_names: list[list[str]] | None = None) -> ImageTable:
    """One image for each dictionary, which overrides values of GOOD, or stands alone if it has an error."""
    count = len(measured)
    keys = [f"{row:064x}" for row in range(count)]
    rows = [
        {"sha256": key, **(values if "error" in values else GOOD | values)}
        for key, values in zip(keys, measured, strict=True)
    ]
    return ImageTable(
        keys,
        ["shop"] * count,
        [f"shop/{key}" for key in keys],
        [frozenset({"Ruby"})] * count,
        file_names or [[]] * count,
        [[]] * count,
        pa.Table.from_pylist(rows, MEASURED),
    )


def reasons(rule: str, images: ImageTable, **settings: object) -> list[Reason]:
    """What a rule on one image finds."""
    rules = load_rules({rule: SIGNS_ONLY.get(rule, {}) | settings}).on_images
    [chosen] = [candidate for candidate in rules if candidate.name == rule]
    return chosen.find(images)


def findings(
    rule: str, images: ImageTable, **settings: object
) -> list[tuple[int, float | None, float | None]]:
    """The (row, value, threshold) of each reason that a rule finds."""
    return [(reason.row, reason.value, reason.threshold) for reason in reasons(rule, images, **settings)]
