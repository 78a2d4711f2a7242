"""Schemas of the tables that `gemcurate` writes. `sha256` is always of the file as the store served it."""

import pyarrow as pa

from gemkit.tables import IMAGE_TYPE, hugging_face_schema

_BOX = pa.list_(pa.int32())

#: Inputs of the content classifier, measured at about 64 pixels (`curation/measurement/shape_features.py`).
#: Components are connected and stand out from the background. Gradients are in Lab per pixel.
SHAPE_FEATURES = pa.struct(
    [
        ("foreground", pa.float32()),  # share of the image that stands out from the background
        ("components", pa.float32()),  # number of components
        ("large_components", pa.float32()),  # number of those that cover at least 0.6 % of the image
        ("filled", pa.float32()),  # share of the largest component's area that is not holes
        ("roundness", pa.float32()),  # of its outline, 1 for a circle
        ("hull_corners", pa.float32()),  # number of corners of its convex hull
        ("hull_longest_sides", pa.float32()),  # share of the hull's outline on its six longest sides
        ("hull_fifth_and_sixth_side", pa.float32()),  # the same for the fifth and the sixth longest
        ("centre_contrast", pa.float32()),  # mean distance (Lab) of the central half from the background
        ("border_side", pa.float32()),  # largest share of a side of the image that the foreground touches
        ("second_border_side", pa.float32()),  # the second largest
        ("flat_share", pa.float32()),  # share of the largest component with a gradient below 0.8
        ("nearly_flat_share", pa.float32()),  # share with a gradient below 1.5
        ("gradient_inside", pa.float32()),  # mean gradient inside it
        ("gradient_outside", pa.float32()),  # mean gradient outside it
        ("texture_energy", pa.float32()),  # mean absolute Laplacian of L* over its standard deviation
        ("gradient_coherence", pa.float32()),  # how far the gradients of L* share one direction, 0 to 1
        ("gradient_uprightness", pa.float32()),  # how far they are upright, -1 to 1
        ("gradient_orthogonality", pa.float32()),  # how far they meet at right angles, 0 to 1
        ("column_variance", pa.float32()),  # share of the variance of L* that is between columns
        ("ring_chroma", pa.float32()),  # chroma of the median colour of the outermost tenth
        ("border_component_chroma_spread", pa.float32()),  # median distance (a*, b*) from its median colour
        ("border_component_chroma_spread_90", pa.float32()),  # 90th percentile of that distance
        ("border_component_uniformity", pa.float32()),  # share of its pixels with a distance below 5
    ]
)

#: data/measured/<site>.parquet, sorted by sha256: the measurements of each stored image of a site.
#: Null where the image could not be decoded; `error_kind` and `error` then give the reason.
MEASURED = pa.schema(
    [
        ("sha256", pa.string()),
        ("error_kind", pa.string()),  # empty_file, too_many_pixels, …, time, memory, killed, crashed
        ("error", pa.string()),  # for people
        ("format", pa.string()),  # as decoded: JPEG, PNG, WEBP, …
        ("mode", pa.string()),  # Pillow's mode: RGB, CMYK, …
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("bytes", pa.int64()),
        ("pixel_hash", pa.binary(16)),  # XXH3-128 of the decoded RGB pixels and their shape
        ("phash", pa.binary(8)),  # 64-bit DCT hash of the content box
        ("phash_mirrored", pa.binary(8)),  # the same of the mirror image
        ("thumbnail", pa.binary(768)),  # the content box as 16 × 16 × 3 bytes of RGB
        ("centre_lab", pa.list_(pa.float32())),  # mean L*, a*, b* of the central half
        ("brightness", pa.float32()),  # mean L*, 0 to 100
        ("contrast", pa.float32()),  # standard deviation of L*
        ("darkest", pa.float32()),  # 1st percentile of L*
        ("brightest", pa.float32()),  # 99th percentile of L*
        ("clipped_share", pa.float32()),  # overexposed share of the central half
        ("sharpness", pa.float32()),  # standard deviation of the Laplacian of the grey image at 64 pixels
        ("background_uniformity", pa.float32()),  # 1 − normalised spread of the border's colour
        ("background_lab", pa.list_(pa.float32())),  # median L*, a*, b* of the border
        ("background_residual", pa.float32()),  # median distance (Lab) of the border from an even gradient
        ("skin_share", pa.float32()),  # share of skin-coloured pixels
        ("skin_region_share", pa.float32()),  # share under the skin region with the longest run at the border
        ("skin_border_share", pa.float32()),  # that run, as a share of the border
        ("border_component_share", pa.float32()),  # share under the foreground component with the longest run
        ("border_component_run", pa.float32()),  # that run, as a share of the border
        ("border_component_spread", pa.float32()),  # median distance (Lab) of its pixels from their median
        ("stones", pa.int32()),  # compact components of similar size that stand out from the background
        ("stone_contrast", pa.float32()),  # 99th percentile of the distance (Lab) from the background
        ("stone_share", pa.float32()),  # share of the image under the largest component
        ("stone_solidity", pa.float32()),  # its share of its convex hull
        ("stone_elongation", pa.float32()),  # longer over shorter side of the smallest rectangle around it
        ("stone_flatness", pa.float32()),  # share of its surface without shading
        ("stone_spread", pa.float32()),  # median distance (a*, b*) of its pixels from their own median
        ("stone_box", pa.list_(pa.float32())),  # left, top, right, bottom, as shares of width and height
        ("shape_features", SHAPE_FEATURES),
        ("stroke_density", pa.float32()),  # largest share of thin strokes in any word-sized window
        ("text_boxes", pa.int32()),  # boxes of the text detector; 0 where the stroke density is too low
        ("text_area", pa.float32()),  # share of the image under these boxes
        ("text", pa.string()),  # the lines that could be read, one per line; null if none could
        ("text_over_stone", pa.int32()),  # letters of the lines over the stone
    ]
)

#: Length of a feature vector.
FEATURE_LENGTH = 1280
#: data/features/<site>.parquet, sorted by sha256: what a network sees in each stored image of a site. Null
#: where the image could not be decoded.
FEATURES = pa.schema([("sha256", pa.string()), ("features", pa.list_(pa.float16(), FEATURE_LENGTH))])

#: One reason to drop an image. Null fields do not apply to the rule.
REASON = pa.struct(
    [
        ("rule", pa.string()),
        ("kind", pa.string()),  # variant of the rule (border_component, skin, …), or its name if it has one
        ("measurement", pa.string()),  # column of MEASURED, or a number made from them (aspect_ratio, …)
        ("value", pa.float64()),  # the measurement of this image
        ("threshold", pa.float64()),  # that it crossed
        ("other_sha256", pa.string()),  # the image that is kept instead of this copy
        ("text", pa.string()),  # for people only
    ]
)

#: data/clean.parquet, sorted by sha256: one decision per distinct image of all sites.
#: `products` are the "site/product_id" that list it (empty for a stock photo). Shared products and
#: near-duplicates form the groups. `variety` and `species` are taxonomy keys, null where the label could not
#: be resolved; `species` is also null where the variety's name leaves it open (cat's eye).
CLEAN = pa.schema(
    [
        ("sha256", pa.string()),
        ("site", pa.string()),  # the first site, by name, that has it
        ("path", pa.string()),  # relative to data/raw
        ("variety", pa.string()),
        ("species", pa.string()),
        ("region", pa.string()),
        ("products", pa.list_(pa.string())),
        ("group_id", pa.string()),
        ("reasons", pa.list_(REASON)),
        ("keep", pa.bool_()),
    ]
)

#: Name of the file next to the crops that holds the settings they were made with, and the stage's VERSION.
CROP_RECORD = "crop.json"
#: data/crops/*.parquet, sorted by sha256: each kept image's stone on its square, √2 wider than `crop_box`.
#: Boxes are [left, top, right, bottom] in pixels of the upright source; `crop_box` may reach beyond it.
CROPS = hugging_face_schema(
    pa.schema(
        [
            ("image", IMAGE_TYPE),
            ("sha256", pa.string()),
            ("stone_box", _BOX),
            ("crop_box", _BOX),
            ("method", pa.string()),  # classical+canny, rembg+canny, canny, original
            ("mask_area", pa.float32()),  # share of the source that is stone; null without a mask
            ("quality", pa.float32()),  # share of the mask's contour along edges; null without a mask
        ]
    )
)

#: data/split.parquet, sorted by sha256: the split of every kept image. `fold` is 0 … folds−1.
SPLIT = pa.schema(
    [
        ("sha256", pa.string()),
        ("group_id", pa.string()),
        ("variety", pa.string()),
        ("split", pa.string()),
        ("fold", pa.int32()),
    ]
)
SPLITS = ("train", "validation", "test")

#: data/datasets/<dataset>/{train,validation,test}-*.parquet. `label` indexes the varieties in order of name
#: (data/datasets/<dataset>/classes.json names them); `rotation` is in degrees, counter-clockwise.
DATASET = hugging_face_schema(
    pa.schema(
        [
            ("image", IMAGE_TYPE),
            ("label", pa.int64()),
            ("variety", pa.string()),
            ("species", pa.string()),
            ("group_id", pa.string()),
            ("sha256", pa.string()),
            ("rotation", pa.int32()),
            ("mirrored", pa.bool_()),
        ]
    )
)
