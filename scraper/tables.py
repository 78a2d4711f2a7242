"""The tables that `gemscrape` writes: one row per image URL, one per product."""

from enum import StrEnum

import pyarrow as pa

_TIME = pa.timestamp("ms", tz="UTC")


class ImageStatus(StrEnum):
    """How an image URL ended, each with its `description`; `reason_kind` and `reason` give the details."""

    description: str

    def __new__(cls, value: str, description: str = "") -> "ImageStatus":
        member = str.__new__(cls, value)
        member._value_ = value
        member.description = description
        return member

    OK = "ok", "downloaded, checked and stored"
    GONE = "gone", "the store answered 404 or 410, or no longer lists it (since gone_at)"
    REFUSED = "refused", "robots.txt, a header or the site's own limits forbid it"
    INVALID = "invalid", "the response is not a complete image within the limits"
    FAILED = "failed", "no usable response after all retries"
    BLOCKED = "blocked", "the store blocked the crawler before it was fetched"


class ReasonKind(StrEnum):
    """Why an image URL, a page or a host did not end well: the values of `reason_kind`."""

    # The store's answer
    HTTP_STATUS = "http_status"
    REDIRECT = "redirect"
    REDIRECTED_AWAY = "redirected_away"
    CHALLENGE = "challenge"
    NO_LONGER_LISTED = "no_longer_listed"
    WALL = "wall"
    NOTHING_LISTED = "nothing_listed"
    # The store's rules, and the site's own limits
    ROBOTS = "robots"
    ROBOTS_UNREADABLE = "robots_unreadable"
    X_ROBOTS_TAG = "x_robots_tag"
    META_ROBOTS = "meta_robots"
    CONTENT_SIGNAL = "content_signal"
    CRAWL_DELAY = "crawl_delay"
    PAUSE = "pause"
    HOST_NOT_ALLOWED = "host_not_allowed"
    PRIVATE_ADDRESS = "private_address"
    # The connection
    TIMEOUT = "timeout"
    NO_CONNECTION = "no_connection"
    CONNECTION_CUT = "connection_cut"
    CERTIFICATE = "certificate"
    TLS = "tls"
    MALFORMED = "malformed"
    INVALID_URL = "invalid_url"
    CONTENT_ENCODING = "content_encoding"
    UNUSABLE_RESPONSE = "unusable_response"  # only in tables of earlier versions
    NO_ANSWER = "no_answer"  # only in tables of earlier versions
    # The body
    TOO_LARGE = "too_large"
    TOO_MANY_PIXELS = "too_many_pixels"
    EMPTY = "empty"
    HTML_INSTEAD_OF_IMAGE = "html_instead_of_image"
    TEXT_INSTEAD_OF_IMAGE = "text_instead_of_image"
    NOT_AN_IMAGE = "not_an_image"
    TRUNCATED = "truncated"
    UNDECODABLE = "undecodable"
    PARSER = "parser"
    # A file of a folder or zip
    FILE_GONE = "file_gone"
    FILE_OUTSIDE = "file_outside"
    FILE_UNREADABLE = "file_unreadable"
    # Recorded by a version that kept only the text
    UNKNOWN = "unknown"


#: data/raw/<site>/images.parquet, sorted by image_url.
#: `path` is relative to data/raw/<site>; null unless an image was stored. `reason` is for people,
#: `reason_kind` (a `ReasonKind`) for programs; tables of earlier versions lack it.
IMAGES = pa.schema(
    [
        ("site", pa.string()),
        ("image_url", pa.string()),
        ("sha256", pa.string()),
        ("path", pa.string()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("reason_kind", pa.string()),
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
