"""The responses of each host of the fault server: one fault per path, by name.

A response is a list of steps: bytes to send (or a function that makes them), seconds to wait, CUT (close the
connection) or RESET (reset it). A path has a list of responses, sent in turn; the last one is repeated.
"""

import functools
import gzip
import io
import struct
import time
import zlib
from collections.abc import Callable
from email.utils import formatdate

from PIL import Image

from tests.helpers.crawl_shop import jpeg

CUT, RESET = "cut", "reset"

Response = list[bytes | float | str | Callable[[], bytes]]
Responses = dict[str, list[Response]]

#: Longer than the crawler may wait for a response, seconds.
TOO_LATE = 3.0

#: How long a drip lasts if nobody hangs up: a client that waits for its end is noticeably slow, but gets it.
DRIP_SECONDS = 30.0

#: A Retry-After longer than the crawler may wait, but short enough to notice if it waits anyway.
FAR_TOO_LONG = 30

#: The rules of all hosts, except where robots.txt is the fault.
RULES = b"User-agent: *\nDisallow: /img/forbidden.jpg\n"

#: Hostile text in class names, titles and file names.
HOSTILE_TEXT = {
    "html": "<script>alert(1)</script>&amp;<img src=x onerror=alert(1)>",
    "parents": "../../../../../../tmp/pwned",
    "absolute": "/etc/passwd",
    "windows": "..\\..\\CON:NUL|pwned?*",
    "emoji": "💎👩‍👩‍👧 e\u0301",
    "right-to-left": "stone\u202egpj.exe\u202c",
    "escapes": "a%00b%0d%0a%2e%2e%2fpwned",
    "quotes": "\"stone\" 'stone' \\' --",
    "command": "$(touch pwned) `touch pwned`; touch pwned | touch pwned & #",
    "option": "--site=pwned",
    "terminal": "\x1b[31mred\x07\x08\x9b0m",
    "template": "{category} {0} %s ${HOME} [bold]x[/bold]",
    "long": "very long " * 800,
}


def http(body: bytes = b"", status: int = 200, **headers: str) -> bytes:
    """A whole response as it is sent; `_` in a header's name becomes `-`, an empty value omits the header."""
    lines = {"Content-Length": str(len(body)), **{key.replace("_", "-"): headers[key] for key in headers}}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
    return f"HTTP/1.1 {status} x\r\n{head}\r\n".encode("latin-1") + body


def moved(location: str, status: int = 302) -> bytes:
    """A redirect."""
    return http(status=status, Location=location)


def chunked(*chunks: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    """A chunked response, closed by `end`."""
    parts = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return http(Content_Length="", Transfer_Encoding="chunked") + parts + end


def drip(content: bytes, start: int = 200) -> Response:
    """Byte by byte from `start` on, each before a read times out."""
    pause = 0.1
    steps: Response = [content[:start]]
    for n in range(start, start + round(DRIP_SECONDS / pause)):
        steps += [pause, content[n : n + 1]]
    return [*steps, CUT]


def gradient(width: int, height: int, kind: str = "JPEG") -> bytes:
    """A grey gradient."""
    out = io.BytesIO()
    Image.linear_gradient("L").resize((width, height), Image.Resampling.NEAREST).save(out, kind)
    return out.getvalue()


def png_bomb(side: int) -> bytes:
    """A PNG of a few kilobytes that declares a huge size."""

    def chunk(content: bytes) -> bytes:
        return struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))

    header = chunk(b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT" + zlib.compress(bytes(1_000_000))) + chunk(b"IEND")


@functools.cache
def gzip_bomb(times: int = 1) -> bytes:
    """50 megabytes of zeros, compressed `times` times."""
    content = bytes(50_000_000)
    for _ in range(times):
        content = gzip.compress(content, 1)
    return content


def images() -> Responses:
    """The faults of single images."""
    good, damaged = jpeg(1000), gradient(300, 200, "PNG")
    responses: dict[str, Response] = {
        "slow-first-byte": [TOO_LATE, http(good)],
        "slow-drip": drip(http(good)),
        "slow-head": drip(http(good, X_Long="x" * 400), start=20),
        "reset-before": [RESET],
        "reset-in-body": [http(good)[:-300], RESET],
        "cut-before": [CUT],
        "cut-in-body": [http(good)[:-300], CUT],
        "no-http": [b"\x00\xff stone\r\n\r\n", CUT],
        "length-too-large": [http(good, Content_Length=str(len(good) + 100)), TOO_LATE],
        "length-garbage": [http(good, Content_Length="many")],
        "length-missing": [http(good, Content_Length=""), CUT],
        "chunks": [chunked(good[:300], good[300:])],
        "chunks-broken": [chunked(good[:300], end=b"stone\r\n"), CUT],
        "chunks-cut": [chunked(good[:300], end=b""), CUT],
        "gzip": [http(gzip.compress(good), Content_Encoding="gzip")],
        "gzip-bomb": [http(gzip_bomb(), Content_Encoding="gzip")],
        "html": [http(b"\n <!DOCTYPE html><title>Not here</title>")],
        "text": [http(b"not here")],
        "empty": [http()],
        "wrong-type": [http(good, Content_Type="text/html")],
        "wrong-suffix": [http(gradient(40, 40, "PNG"), Content_Type="image/jpeg")],
        "30-megapixel": [http(gradient(6000, 5000))],
        "100-megapixel": [http(png_bomb(10_000))],
        "60000x60000": [http(png_bomb(60_000))],
        "too-large": [http(bytes(2_000_001))],
        "truncated-jpeg": [http(gradient(200, 200)[:-900])],
        "truncated-png": [http(gradient(300, 200, "PNG")[:-300])],
        "damaged": [http(damaged[:60] + bytes(20) + damaged[80:])],
        "moved": [moved("moved-good.jpg")],
        "moved-5-times": [moved("hop-4.jpg", 301)],
        "hop-4": [moved("hop-3.jpg", 303)],
        "hop-3": [moved("hop-2.jpg", 307)],
        "hop-2": [moved("hop-1.jpg", 308)],
        "hop-1": [moved("hop-good.jpg")],
        "moved-6-times": [moved("moved-5-times.jpg")],
        "loop": [moved("loop.jpg")],
        "off-site": [moved("//evil.example/x.jpg")],
        "to-private": [moved("http://10.0.0.1/x.jpg")],
        "to-metadata": [moved("http://169.254.169.254/latest/meta-data/")],
        "to-ipv6-loopback": [moved("http://[::1]/x.jpg")],
        "to-another-port": [moved("http://127.0.0.1:1/x.jpg")],
        "to-private-allowed": [moved("http://192.168.0.1/x.jpg")],
        "to-file": [moved("file:///etc/passwd")],
        "to-script": [moved("javascript:alert(1)")],
        "to-nowhere": [moved("")],
        "to-forbidden": [moved("forbidden.jpg")],
        "forbidden": [http(good)],
        "keep-out": [http(good, X_Robots_Tag="noarchive, noai")],
        **{
            f"status-{status}": [http(status=status)]
            for status in (204, 206, 304, 400, 401, 403, 404, 408, 410, 418, 500, 503)
        },
        **{f"later-{status}": [http(status=status, Retry_After="1")] for status in (401, 403, 404, 410)},
    }
    once: Responses = {
        "recovers": [[http(status=503)], [http(good)]],
        "reset-once": [[http(good)[:-300], RESET], [http(good)]],
    }
    return {name: [response] for name, response in responses.items()} | once


def retry_after(status: int) -> Responses:
    """Images rejected once with every kind of Retry-After, then served."""

    def date(seconds: float) -> Callable[[], bytes]:
        return lambda: http(status=status, Retry_After=formatdate(time.time() + seconds, usegmt=True))

    kinds: dict[str, bytes | Callable[[], bytes]] = {
        "absent": http(status=status),
        "seconds": http(status=status, Retry_After="1"),
        "date": date(2),
        "past": date(-3600),
        "zero": http(status=status, Retry_After="0"),
        "negative": http(status=status, Retry_After="-5"),
        "fraction": http(status=status, Retry_After="0.5"),
        "garbage": http(status=status, Retry_After="soon \xfc"),
    }
    return {kind: [[rejection], [http(jpeg(1000))]] for kind, rejection in kinds.items()}


def far_too_long() -> Responses:
    """An image that may be requested again only much later."""
    return {"far-too-long": [[http(status=503, Retry_After=str(FAR_TOO_LONG))]]}


def leftover() -> Responses:
    """An image with too small a Content-Length: its rest arrives in place of the next response."""
    good = jpeg(1000)
    return {"length-too-small": [[http(good, Content_Length=str(len(good) - 300))]]}


def burst() -> Responses:
    """Images rejected once, all at the same time; more of them than the rejections in a row of a block."""
    rejection: Response = [0.3, http(status=429, Retry_After="1")]
    return {f"{n}": [rejection, [http(jpeg(1000))]] for n in range(8)}


def robots() -> Responses:
    """The states of robots.txt."""
    responses: dict[str, Response] = {
        "rules": [http(RULES)],
        "moved": [moved("/other.txt")],
        "byte-order-mark": [http(b"\xef\xbb\xbf" + RULES)],
        "latin-1": [http(b"# Rubin\xe9 \xff\r" + RULES)],
        "huge": [http(RULES + b"# a stone\n" * 60_000 + b"User-agent: *\nDisallow: /\n")],
        "delay": [http(RULES + b"Crawl-delay: 0.3\n")],
        "delay-garbage": [http(RULES + b"Crawl-delay: inf\n")],
        "empty": [http()],
        "html": [http(b"<!DOCTYPE html><title>Welcome</title>")],
        "401": [http(status=401)],
        "403": [http(status=403)],
        "404": [http(status=404)],
        "500": [http(status=500)],
        "503": [http(status=503, Retry_After="1")],
        "503-for-long": [http(status=503, Retry_After=str(FAR_TOO_LONG))],
        "slow": [TOO_LATE],
        "drip": drip(http(RULES * 99)),
        "reset": [RESET],
        "too-large": [http(RULES * 30_000)],
        "gzip-bomb": [http(gzip_bomb(), Content_Encoding="gzip")],
        "loop": [moved("/robots.txt")],
        "off-site": [moved("http://evil.example/robots.txt")],
        "to-private": [moved("http://10.0.0.1/robots.txt")],
        "to-file": [moved("file:///etc/passwd")],
    }
    once: Responses = {
        "503-once": [[http(status=503, Retry_After="1")], [http(RULES)]],
        "429-once": [[http(status=429, Retry_After="1")], [http(RULES)]],
    }
    return {state: [response] for state, response in responses.items()} | once


def pages(image: str) -> Responses:
    """The faults of product pages; the readable ones show `image`, formatted with the fault's name."""

    def shown(name: str) -> bytes:
        return f'<h1>{name}</h1><img src="{image.format(name)}">'.encode()

    def listed(name: str, *others: str) -> bytes:
        product = f'{{"@type": "Product", "image": "{image.format(name)}"}}'
        scripts = (f'<script type="application/ld+json">{text}</script>' for text in (*others, product))
        return "".join(scripts).encode()

    nested = "[" * 900 + "]" * 900
    responses: dict[str, Response] = {
        "slow-first-byte": [TOO_LATE],
        "slow-drip": drip(http(shown("slow-drip") * 99)),
        "reset-in-body": [http(shown("x"))[:-9], RESET],
        "cut-in-body": [http(shown("x"))[:-9], CUT],
        "chunks-broken": [chunked(shown("x"), end=b"stone\r\n"), CUT],
        "gzip-bomb": [http(gzip_bomb(), Content_Encoding="gzip")],
        "gzip-bomb-twice": [http(gzip_bomb(2), Content_Encoding="gzip, gzip")],
        "gzip-broken": [http(gzip.compress(shown("x"))[:-20] + b"x" * 20, Content_Encoding="gzip")],
        "too-large": [http(b"stone" * 200_001)],
        "loop": [moved("loop")],
        "off-site": [moved("//evil.example/x")],
        "to-private": [moved("http://10.0.0.1/x")],
        "status-403": [http(status=403)],
        "status-404": [http(status=404)],
        "status-500": [http(status=500)],
        "empty": [http()],
        "binary": [http(jpeg(1000))],
        "gzip": [http(gzip.compress(shown("gzip")), Content_Encoding="gzip")],
        "latin-1": [http("<p>Rubin\xe9\xff".encode("latin-1") + shown("latin-1"))],
        "deep": [http(b"<div>" * 5000 + shown("deep"))],
        "json-ld-broken": [http(listed("json-ld-broken", '{"@type": "Product", "image": ["'))],
        "json-ld-odd": [http(listed("json-ld-odd", '[1, null, {"@type": [{}, [], null]}, {"@graph": 7}]'))],
        "json-ld-deep": [
            http(listed("json-ld-deep", nested, f'{{"@type": "Product", "image": {nested}}}'))
        ],
    }  # fmt: skip
    return {name: [response] for name, response in responses.items()}
