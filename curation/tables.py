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
        ("pixel_sha256", pa.string()),  # of the decoded RGB pixels and their shape
        ("phash", pa.binary(8)),  # 64-bit DCT hash
        ("phash256", pa.binary(32)),  # 256-bit DCT hash
        ("centre_lab", pa.list_(pa.float32())),  # mean L*, a*, b* of the central half
        ("brightness", pa.float32()),  # mean L*, 0 to 100
        ("contrast", pa.float32()),  # standard deviation of L*
        ("sharpness", pa.float32()),  # variance of the Laplacian of the grey image at 256 pixels
        ("background_uniformity", pa.float32()),  # 1 − normalised spread of the border's colour
        ("background_lab", pa.list_(pa.float32())),  # median L*, a*, b* of the border
        ("skin_share", pa.float32()),  # share of pixels of skin colour
        ("skin_border_share", pa.float32()),  # share of the border that skin regions touch
        ("skin_region_share", pa.float32()),  # share of the largest skin region that touches the border
        ("text_boxes", pa.int32()),  # boxes of the text detector
        ("text_area", pa.float32()),  # share of the image under them
        ("text", pa.string()),  # recognised words where recognition ran, else null
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

#: data/crops/*.parquet, sorted by sha256: each kept image's stone on its square, √2 wider than `crop_box`.
#: Boxes are [left, top, right, bottom] in pixels of the upright source; `crop_box` may reach beyond it.
CROPS = hugging_face_schema(
    pa.schema(
        [
            ("image", IMAGE_TYPE),
            ("sha256", pa.string()),
            ("stone_box", _BOX),
            ("crop_box", _BOX),
            ("method", pa.string()),  # mask+canny, mask, canny, original
            ("mask_area", pa.float32()),  # share of the source that is stone; null without a mask
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
