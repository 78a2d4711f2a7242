"""The tables that `gemscrape` writes: one row per image URL, one per product."""

import pyarrow as pa

_TIME = pa.timestamp("ms", tz="UTC")

#: The outcomes of an image URL; `reason` gives details (an HTTP status, a limit, a robots rule).
STATUSES = {
    "ok": "downloaded, checked and stored",
    "gone": "the store answered 404 or 410, or no longer lists it (since gone_at)",
    "refused": "robots.txt, a header or the site's own limits forbid it",
    "invalid": "the response is not a complete image within the limits",
    "failed": "no usable response after all retries",
    "blocked": "the store blocked the crawler before it was fetched",
}

#: data/raw/<site>/images.parquet, sorted by image_url.
#: `path` is relative to data/raw/<site>; null unless an image was stored.
IMAGES = pa.schema(
    [
        ("site", pa.string()),
        ("image_url", pa.string()),
        ("sha256", pa.string()),
        ("path", pa.string()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("store_classes", pa.list_(pa.string())),
        ("product_ids", pa.list_(pa.string())),
        ("page_urls", pa.list_(pa.string())),
        ("file_name", pa.string()),
        ("content_type", pa.string()),
        ("bytes", pa.int64()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("etag", pa.string()),
        ("last_modified", pa.string()),
        ("first_seen", _TIME),
        ("fetched_at", _TIME),
        ("gone_at", _TIME),
    ]
)

#: data/raw/<site>/products.parquet, sorted by product_id, store_class, page_url; `attributes` is JSON.
PRODUCTS = pa.schema(
    [
        ("site", pa.string()),
        ("product_id", pa.string()),
        ("page_url", pa.string()),
        ("title", pa.string()),
        ("store_class", pa.string()),
        ("attributes", pa.string()),
    ]
)
