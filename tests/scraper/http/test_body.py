"""Bodies are decompressed as they are, not as they say, and within their cap."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.http.body import read_body
from scraper.http.errors import FetchError, TooLarge
from scraper.tables import ReasonKind
from tests.helpers.crawl_shop import jpeg
from tests.helpers.encoded_images import encoded, half_red

CAP = 100_000

ENCODINGS = [
    "",
    "gzip",
    "x-gzip",
    "deflate",
    "gzip, deflate",
    "deflate, gzip",
    "gzip, gzip",
    "utf-8",
    ",",
    "br",
]


def read(body: bytes, encoding: str, truncate: bool = False) -> bytes:
    chunks = (body[n : n + 1000] for n in range(0, len(body), 1000))
    return read_body(chunks, encoding, CAP, truncate)


@given(st.binary(max_size=200), st.sampled_from(ENCODINGS), st.booleans())
def test_any_body_is_read_or_refused(body: bytes, encoding: str, truncate: bool) -> None:
    for content in (body, gzip.compress(body), zlib.compress(body), gzip.compress(body)[:-4]):
        try:
            assert len(read(content, encoding, truncate)) <= CAP
        except FetchError as error:
            assert error.reason.kind == ReasonKind.CONTENT_ENCODING


@given(st.binary(max_size=200), st.sampled_from(["gzip", "deflate"]))
def test_what_was_compressed_is_given_back(body: bytes, encoding: str) -> None:
    packed = gzip.compress(body) if encoding == "gzip" else zlib.compress(body)
    assert read(packed, encoding) == body


@pytest.mark.parametrize(
    "encoding", ["gzip", "deflate", "gzip, deflate", "UTF-8", "aws-chunked", "", "x-gzip"]
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"])
def test_a_picture_that_is_not_compressed_at_all(encoding: str, kind: str) -> None:
    picture = encoded(half_red(), kind)
    assert read(picture, encoding) == picture


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@pytest.mark.parametrize("times", [1, 2])
def test_a_bomb_ends_at_the_cap(encoding: str, times: int) -> None:
    body = bytes(50_000_000)
    for _ in range(times):
        body = gzip.compress(body, 1) if encoding == "gzip" else zlib.compress(body, 1)
    with pytest.raises(TooLarge):
        read(body, ", ".join([encoding] * times))


def test_a_body_of_countless_parts_is_refused_soon() -> None:
    """Each part costs time, though it holds nothing."""
    part = gzip.compress(b"", 1)
    assert read(part * 900, "gzip") == b""
    with pytest.raises(FetchError, match="cannot be decompressed"):
        read(part * 4_000, "gzip")


def test_a_damaged_picture() -> None:
    packed = gzip.compress(jpeg(1))
    for damaged in (packed[:-12], packed[:40] + b"stone" + packed[45:]):
        with pytest.raises(FetchError, match="cannot be decompressed"):
            read(damaged, "gzip")
