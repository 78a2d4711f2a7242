"""The limits of a store, and of the crawler."""

from typing import Annotated

from pydantic import (
    Field,
    PositiveFloat,
    PositiveInt,
)

from gemkit.strict_model import StrictModel


class ImageLimits(StrictModel):
    """The largest image that is accepted."""

    max_image_bytes: PositiveInt = 20_000_000
    max_image_pixels: PositiveInt = 50_000_000


class Limits(ImageLimits):
    """The limits of the store, and of the crawler. They hold for each of its hosts.

    Without `requests_per_second` the rate is unknown, and the crawler finds it by probing; it never exceeds
    `max_requests_per_second` then.
    """

    requests_per_second: PositiveFloat | None = None
    max_requests_per_second: PositiveFloat = 5.0
    concurrency: Annotated[int, Field(ge=1, le=64)] = 4
    timeout_seconds: PositiveFloat = 30.0
    attempts: PositiveInt = 5
    longest_wait_seconds: PositiveFloat = 900.0
    max_page_bytes: PositiveInt = 10_000_000
    max_category_pages: PositiveInt = 2_000


def host_matches(host: str, patterns: list[str]) -> bool:
    """Whether a host (with its port, if the URL has one) matches a pattern; `*.x.com` matches subdomains."""
    host = host.lower()
    return any(
        host == pattern or (pattern.startswith("*.") and host.endswith(pattern[1:])) for pattern in patterns
    )
