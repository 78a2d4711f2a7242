"""The tables that `gemcurate` writes. Every `sha256` is that of the image file as the store served it."""

import pyarrow as pa

from gemkit.tables import IMAGE_TYPE, hugging_face_schema

_BOX = pa.list_(pa.int32())

#: data/measured/<site>.parquet, sorted by sha256: what was measured on each stored image of a site.
#: Null where the image could not be decoded; `error` then says why.
MEASURED = pa.schema(
    [
        ("sha256", pa.string()),
        ("error", pa.string()),
        ("format", pa.string()),  # as decoded: JPEG, PNG, WEBP, …
        ("mode", pa.string()),  # Pillow's mode: RGB, CMYK, …
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("bytes", pa.int64()),
        ("pixel_hash", pa.binary(16)),  # XXH3-128 of the decoded RGB pixels and their shape
        ("phash", pa.binary(8)),  # 64-bit DCT hash of the content box
        ("phash_mirrored", pa.binary(8)),  # the same of the picture's mirror image
        ("thumbnail", pa.binary(768)),  # the content box as 16 × 16 × 3 bytes of RGB
        ("centre_lab", pa.list_(pa.float32())),  # mean L*, a*, b* of the central half
        ("brightness", pa.float32()),  # mean L*, 0 to 100
        ("contrast", pa.float32()),  # standard deviation of L*
        ("darkest", pa.float32()),  # L* that one pixel in a hundred falls below
        ("brightest", pa.float32()),  # L* that one pixel in a hundred exceeds
        ("clipped_share", pa.float32()),  # share of the central half that is burnt out
        ("sharpness", pa.float32()),  # deviation of the Laplacian of the grey image at 64 pixels
        ("background_uniformity", pa.float32()),  # 1 − normalised spread of the border's colour
        ("background_lab", pa.list_(pa.float32())),  # median L*, a*, b* of the border
        ("background_residual", pa.float32()),  # median distance (Lab) of the border from an even gradient
        ("skin_share", pa.float32()),  # share of pixels of skin colour
        ("skin_region_share", pa.float32()),  # share of the skin region with the longest run at the border
        ("skin_border_share", pa.float32()),  # that run, as a share of the border
        ("limb_share", pa.float32()),  # the same of what stands out from the background and comes in
        ("limb_border", pa.float32()),
        ("limb_spread", pa.float32()),  # median distance (Lab) of its pixels from their own median
        ("stones", pa.int32()),  # regions of about one size that stand out from the background
        ("stone_contrast", pa.float32()),  # distance (Lab) from it that one pixel in a hundred exceeds
        ("stone_share", pa.float32()),  # share of the image under the largest of them
        ("stone_solidity", pa.float32()),  # its share of its convex hull
        ("stone_elongation", pa.float32()),  # longer over shorter side of the smallest rectangle around it
        ("stone_flatness", pa.float32()),  # share of its surface without shading
        ("stone_spread", pa.float32()),  # median distance (a*, b*) of its pixels from their own median
        ("stone_box", pa.list_(pa.float32())),  # left, top, right, bottom, as shares of width and height
        (
            "traits",
            pa.list_(pa.float32()),
        ),  # see curation/measurement/shape_features.py
        ("text_look", pa.float32()),  # largest share of thin strokes in any window of a word's size
        ("text_boxes", pa.int32()),  # boxes of the text detector; 0 where the look suspects no text
        ("text_area", pa.float32()),  # share of the image under them
        ("text", pa.string()),  # the longest lines that could be read, one a line; null where nothing could
        ("text_over_stone", pa.int32()),  # letters of the lines that lie over the stone
    ]
)

#: One reason to drop an image: the rule, the value it saw, the threshold it crossed, and words for a person.
REASON = pa.struct(
    [
        ("rule", pa.string()),
        ("value", pa.float64()),
        ("threshold", pa.float64()),
        ("detail", pa.string()),
    ]
)

#: data/clean.parquet, sorted by sha256: one decision per distinct image of all sites.
#: `products` are the "site/product_id" that list it (empty for a stock photo); they make the groups with
#: the near-duplicates. `variety` and `species` are taxonomy keys, null where the label could not be resolved;
#: `species` is also null where the name of a variety leaves it open (cat's eye).
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

#: Name of the file beside the crops that holds the settings they were made with, and the crop's VERSION.
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

#: data/split.parquet, sorted by sha256: the side of every kept image. `fold` is 0 … folds−1.
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
