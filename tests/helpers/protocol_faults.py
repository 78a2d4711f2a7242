"""Responses that follow, bend or break the rules of HTTP, each with its outcome.

The outcome is the status with the body, or the kind of the reason of a failure.
"""

import gzip
import zlib

from scraper.tables import ReasonKind
from tests.helpers.crawl_shop import jpeg
from tests.helpers.fault_responses import CUT, RESET, Response, chunked, http, moved

Outcome = tuple[int, bytes] | ReasonKind

OK = (200, b"ok")
CUT_OFF, MALFORMED = ReasonKind.CONNECTION_CUT, ReasonKind.MALFORMED

_LONG = b"stone" * 1000
JPEG = jpeg(1)


def _with(lines: bytes) -> bytes:
    """A response with more header lines."""
    return b"HTTP/1.1 200 x\r\n" + lines + b"Content-Length: 2\r\n\r\nok"


def _status(line: bytes) -> Response:
    return [line + b"\r\nContent-Length: 2\r\n\r\nok", CUT]


def _chunks(text: bytes) -> Response:
    return [http(Content_Length="", Transfer_Encoding="chunked") + text, CUT]


def _encoded(encoding: str, body: bytes) -> Response:
    return [http(body, Content_Encoding=encoding)]


def _many(count: int, size: int = 1) -> Response:
    return [_with(b"".join(b"X-%d: %b\r\n" % (number, b"a" * size) for number in range(count))), CUT]


def protocol_faults() -> dict[str, tuple[Response, Outcome]]:
    """Responses and outcomes by name."""
    return {
        **_status_lines(),
        **_headers(),
        **_lengths(),
        **_chunked_bodies(),
        **_encodings(),
        **_other_statuses(),
        **_rules(),
    }


def _status_lines() -> dict[str, tuple[Response, Outcome]]:
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    return {
        "continue": ([b"HTTP/1.1 100 Continue\r\n\r\n" + http(b"ok")], OK),
        "early-hints": ([early + early + http(b"ok")], OK),
        "early-hints-only": ([early, CUT], CUT_OFF),
        "switching-protocols": ([b"HTTP/1.1 101 x\r\nUpgrade: x\r\n\r\n", CUT], MALFORMED),
        "http-1.0": (_status(b"HTTP/1.0 200 OK"), OK),
        "http-2": (_status(b"HTTP/2.0 200 OK"), OK),
        "http-without-version": (_status(b"HTTP 200 OK"), OK),
        "http-in-lower-case": (_status(b"http/1.1 200 OK"), OK),
        "http-and-two-spaces": (_status(b"HTTP/1.1  200  OK"), OK),
        "shoutcast": (_status(b"ICY 200 OK"), OK),
        "another-protocol": (_status(b"RTSP/1.0 200 OK"), MALFORMED),
        "status-cut": ([b"HTTP/1.1 2", CUT], CUT_OFF),
        "status-line-cut": ([b"<html>\r\n", CUT], MALFORMED),
        "no-http": ([b"\x00\xff stone\r\n\r\n", CUT], MALFORMED),
        "empty-line-first": ([b"\r\n" + http(b"ok"), CUT], OK),
        "all-interim": ([early * 50 + http(b"ok")], OK),
        "interim-without-end": ([early * 6_000, CUT], MALFORMED),
        "processing": ([b"HTTP/1.1 102 Processing\r\n\r\n" + http(b"ok")], OK),
        "no-status": ([b"<html>", CUT], CUT_OFF),
        "no-phrase": (_status(b"HTTP/1.1 200"), OK),
        "no-phrase-but-a-space": (_status(b"HTTP/1.1 200 "), OK),
        "phrase-in-latin-1": (_status(b"HTTP/1.1 200 d\xe9j\xe0"), OK),
        "status-too-short": (_status(b"HTTP/1.1 20 x"), MALFORMED),
        "status-too-long": (_status(b"HTTP/1.1 2000 x"), MALFORMED),
        "status-0": (_status(b"HTTP/1.1 000 x"), MALFORMED),
        "status-a-word": (_status(b"HTTP/1.1 fine x"), MALFORMED),
        "status-999": (_status(b"HTTP/1.1 999 x"), (999, b"")),
        "line-feeds": ([b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok"], OK),
    }


def _headers() -> dict[str, tuple[Response, Outcome]]:
    odd = {
        "space-in-name": b"X-Powered By: x\r\n",
        "no-colon": b"Foo bar\r\n",
        "space-before-colon": b"Foo : bar\r\n",
        "no-name": b": bar\r\n",
        "odd-name": b"Fo(o): bar\r\n",
        "latin-1-name": b"F\xfc: bar\r\n",
        "zero-byte": b"Foo: a\x00b\r\n",
        "vertical-tab": b"Foo: a\x0bb\r\n",
        "carriage-return": b"Foo: a\rb\r\n",
        "first-line-folded": b" Foo: a\r\n",
        "mailbox-line": b"From me\r\n",
        "a-long-one": b"Foo: " + b"a" * 200_000 + b"\r\n",
        "form-feed-in-name": b"Fo\x0co: bar\r\n",
        "only-spaces": b"  \t\r\n",
        "only-a-colon": b":\r\n",
        "two-carriage-returns": b"Foo: bar\r\r\n",
        "html": b"<b>Warning</b>: Cannot modify header in <b>/x.php</b>\r\n",
        "latin-1-value": b"Foo: \xfc\r\n",
        "utf-8-value": "Foo: ü\r\n".encode(),
        "control-character": b"Foo: a\x01\x85b\r\n",
        "folded": b"Foo: a\r\n  b\r\n",
        "repeated": b"Foo: a\r\nFOO: b\r\n",
        "no-value": b"Foo:\r\n",
        "spaces": b"Foo: \t a \t\r\n",
        "multipart": b"Content-Type: multipart/mixed; boundary=x\r\n",
        "multipart-without-boundary": b"Content-Type: multipart/mixed\r\n",
        "message": b"Content-Type: message/rfc822\r\n",
    }
    return {
        **{name: ([_with(lines)], OK) for name, lines in odd.items()},
        "headers-900": (_many(900), OK),
        "headers-too-many": (_many(6_000), MALFORMED),
        "headers-large": (_many(4, 60_000), OK),
        "headers-too-large": (_many(4, 70_000), MALFORMED),
        "one-too-long": (_many(1, 300_000), MALFORMED),
        "headers-cut": ([b"HTTP/1.1 200 x\r\nFoo: bar\r\n", CUT], CUT_OFF),
        "headers-reset": ([b"HTTP/1.1 200 x\r\nFoo: bar\r\n", RESET], CUT_OFF),
        "headers-hang": ([b"HTTP/1.1 200 x\r\nFoo: bar\r\n", 2.0], ReasonKind.TIMEOUT),
    }


def _lengths() -> dict[str, tuple[Response, Outcome]]:
    lengths = {
        "negative": "-2",
        "signed": "+2",
        "fraction": "2.0",
        "word": "many",
        "huge": "9" * 30,
        "contradiction": "2, 3",
    }
    return {
        **{
            f"length-{name}": ([http(b"ok", Content_Length=length), CUT], MALFORMED)
            for name, length in lengths.items()
        },
        "length-empty": ([b"HTTP/1.1 200 x\r\nContent-Length:\r\n\r\nok", CUT], OK),
        "length-empty-and-not": ([_with(b"Content-Length: \r\n")], OK),
        "length-word-and-close": ([http(b"ok", Content_Length="many", Connection="close"), CUT], OK),
        "length-with-zeros": ([http(b"ok", Content_Length="0002")], OK),
        "length-after-a-space": ([b"HTTP/1.1 200 x\r\nContent-Length : 2\r\n\r\nok"], OK),
        "length-too-small": ([http(b"ok and more", Content_Length="2")], OK),
        "length-repeated": ([_with(b"Content-Length: 2\r\n")], OK),
        "length-list": ([http(b"ok", Content_Length="2, 2")], OK),
        "lengths-differ": ([_with(b"Content-Length: 3\r\n"), CUT], MALFORMED),
        "body-cut": ([http(b"ok", Content_Length="3"), CUT], CUT_OFF),
        "body-to-the-end": ([http(b"ok", Content_Length=""), CUT], OK),
        "transfer-gzip": ([http(b"ok", Transfer_Encoding="gzip"), CUT], MALFORMED),
        "transfer-gzip-chunked": ([http(b"ok", Transfer_Encoding="gzip, chunked"), CUT], MALFORMED),
        "transfer-identity": ([http(b"ok", Transfer_Encoding="identity")], OK),
        "transfer-nothing": ([_with(b"Transfer-Encoding: \r\n")], OK),
        "transfer-binary": ([http(b"ok", Transfer_Encoding="binary")], OK),
        "body-at-the-cap": ([http(b"x" * 20_000)], (200, b"x" * 20_000)),
        "body-over-the-cap": ([http(b"x" * 20_001)], ReasonKind.TOO_LARGE),
    }


def _chunked_bodies() -> dict[str, tuple[Response, Outcome]]:
    sizes = {
        "hexadecimal": b"0x2",
        "sign": b"+2",
        "minus": b"-2",
        "underscore": b"0_2",
        "empty": b"",
        "too-long": b"2" * 20,
        "without-end": b"2;" + b"a" * 9_000,
    }
    return {
        **{
            f"chunk-size-{name}": (_chunks(size + b"\r\nok\r\n0\r\n\r\n"), MALFORMED)
            for name, size in sizes.items()
        },
        "chunk-size-huge": (_chunks(b"f" * 15 + b"\r\nok\r\n0\r\n\r\n"), CUT_OFF),
        "chunk-size-before-spaces": (_chunks(b"2 \t\r\nok\r\n0\r\n\r\n"), OK),
        "chunk-size-after-a-space": (_chunks(b" 2\r\nok\r\n0\r\n\r\n"), OK),
        "chunk-size-before-a-space-and-an-extension": (_chunks(b"2 ;a=b\r\nok\r\n0\r\n\r\n"), OK),
        "chunk-size-with-zeros": (_chunks(b"0" * 40 + b"2\r\nok\r\n0000\r\n\r\n"), OK),
        "chunk-size-before-a-line-feed": (_chunks(b"2\nok\r\n0\r\n\r\n"), OK),
        "chunk-before-a-line-feed": (_chunks(b"2\r\nok\n0\r\n\r\n"), OK),
        "chunk-before-other-bytes": (_chunks(b"2\r\nokxx0\r\n\r\n"), MALFORMED),
        "chunk-trailer-without-colon": (_chunks(b"2\r\nok\r\n0\r\nFoo bar\r\n\r\n"), OK),
        "chunk-trailer-hangs": ([chunked(b"ok", end=b"0\r\nFoo:"), 2.0], OK),
        "chunk-cut": (_chunks(b"2\r\no"), CUT_OFF),
        "chunk-end-cut": (_chunks(b"2\r\nok\r"), CUT_OFF),
        "chunk-size-cut": (_chunks(b"2"), CUT_OFF),
        "chunk-trailer-cut": (_chunks(b"2\r\nok\r\n0\r\nFoo"), OK),
        "chunks-without-last": (_chunks(b"2\r\nok\r\n"), CUT_OFF),
        "chunks-without-end": (_chunks(b"2\r\nok\r\n0\r\n"), OK),
        "chunk-too-long": (_chunks(b"2\r\nokok\r\n0\r\n\r\n"), MALFORMED),
        "chunk-extension": (_chunks(b"2;a=b\r\nok\r\n0\r\n\r\n"), OK),
        "chunk-trailer": (_chunks(b"2\r\nok\r\n0\r\nFoo: bar\r\n\r\n"), OK),
        "chunks-and-length": (
            [http(Content_Length="3", Transfer_Encoding="chunked") + b"2\r\nok\r\n0\r\n\r\n"],
            OK,
        ),
        "chunks-upper-case": (
            [http(Content_Length="", Transfer_Encoding="Chunked") + b"2\r\nok\r\n0\r\n\r\n"],
            OK,
        ),
        "chunks-twice": (
            [http(Content_Length="", Transfer_Encoding="chunked, Chunked") + b"2\r\nok\r\n0\r\n\r\n"],
            OK,
        ),
        "chunks-with-a-parameter": (
            [http(Content_Length="", Transfer_Encoding="chunked;q=1") + b"2\r\nok\r\n0\r\n\r\n"],
            OK,
        ),
        "chunks-in-http-1.0": (
            [b"HTTP/1.0 200 x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", CUT],
            OK,
        ),
    }


def _encodings() -> dict[str, tuple[Response, Outcome]]:
    packed, long = gzip.compress(_LONG), (200, _LONG)
    bytewise = chunked(*(packed[n : n + 1] for n in range(len(packed))))
    return {
        "gzip": (_encoded("gzip", packed), long),
        "gzip-upper-case": (_encoded("GZIP", packed), long),
        "x-gzip": (_encoded("x-gzip", packed), long),
        "identity-gzip": (_encoded("identity, gzip", packed), long),
        "gzip-twice": (_encoded("gzip, gzip", gzip.compress(packed)), long),
        "gzip-in-two-lines": (
            [
                http(gzip.compress(packed), Content_Encoding="gzip").replace(
                    b"\r\n", b"\r\nContent-Encoding: gzip\r\n", 1
                )
            ],
            long,
        ),
        "gzip-members": (_encoded("gzip", packed + packed), (200, _LONG * 2)),
        "gzip-bytewise": ([bytewise.replace(b"\r\n", b"\r\nContent-Encoding: gzip\r\n", 1)], long),
        "gzip-of-nothing": (_encoded("gzip", b""), (200, b"")),
        "gzip-cut": ([http(packed, Content_Encoding="gzip")[:-5], CUT], CUT_OFF),
        "gzip-over-the-cap": (_encoded("gzip", gzip.compress(bytes(20_001))), ReasonKind.TOO_LARGE),
        "gzip-and-more": (_encoded("gzip", packed + b"more"), long),
        "gzip-truncated": (_encoded("gzip", packed[:-12]), ReasonKind.CONTENT_ENCODING),
        "gzip-damaged": (_encoded("gzip", packed[:20] + b"stone" + packed[25:]), ReasonKind.CONTENT_ENCODING),
        "gzip-of-gzip-once": (_encoded("gzip, gzip", packed), long),
        "gzip-many-times": (_encoded("gzip, " * 9 + "gzip", packed), ReasonKind.CONTENT_ENCODING),
        "not-gzip": (_encoded("gzip", b"plain"), (200, b"plain")),
        "not-deflate": (_encoded("deflate", JPEG), (200, JPEG)),
        "deflate-that-is-gzip": (_encoded("deflate", packed), long),
        "gzip-in-a-list": (_encoded("utf-8, gzip", packed), long),
        "a-picture-that-is-gzip": (_encoded("", packed), (200, packed)),
        "deflate": (_encoded("deflate", zlib.compress(_LONG)), long),
        "deflate-raw": (_encoded("deflate", zlib.compress(_LONG)[2:-4]), long),
        "encoding-unknown": (_encoded("compress", b"ok"), ReasonKind.CONTENT_ENCODING),
        **{
            f"encoding-{name}": (_encoded(name, b"ok"), ReasonKind.CONTENT_ENCODING)
            for name in ("br", "zstd")
        },
        "encoding-twice": (_encoded("gzip, br", packed), ReasonKind.CONTENT_ENCODING),
        **{
            f"encoding-{name}": (_encoded(name, JPEG), (200, JPEG))
            for name in ("utf-8", "UTF-8", "aws-chunked", "identity", "binary", "none", "image/jpeg", "8bit")
        },
        "encoding-nothing": ([b"HTTP/1.1 200 x\r\nContent-Encoding: \r\nContent-Length: 2\r\n\r\nok"], OK),
    }


def _other_statuses() -> dict[str, tuple[Response, Outcome]]:
    return {
        "redirect": ([moved("/x")], (302, b"")),
        "redirect-to-nothing": ([moved("http://[::1/x")], (302, b"")),
        "redirect-to-a-script": ([moved("javascript:alert(1)")], (302, b"")),
        "created": ([http(b"ok", 201)], (201, b"")),
        "redirect-in-latin-1": ([moved("/\xfc")], (302, b"")),
        "redirect-in-utf-8": ([moved("/ü".encode().decode("latin-1"))], (302, b"")),
        "redirect-hangs": ([http(b"x", 302, Location="/x", Content_Length="9"), 2.0], (302, b"")),
        "redirect-bomb": ([http(b"x" * 9, 302, Location="/x", Content_Encoding="gzip")], (302, b"")),
        "missing-hangs": ([http(b"x", 404, Content_Length="9"), 2.0], (404, b"")),
        "no-content": ([http(b"xx", 204)], (204, b"")),
    }


def _rules() -> dict[str, tuple[Response, Outcome]]:
    """What a store says in lines that are odd, or next to odd ones."""
    lines = {
        "rule-before-a-space": b"X-Robots-Tag : noai\r\n",
        "rule-in-latin-1": b"X-Robots-Tag: noai, \xfc\r\n",
        "rule-after-a-line-without-colon": b"Foo bar\r\nX-Robots-Tag: noai\r\n",
        "rule-folded": b"X-Robots-Tag: nofollow,\r\n\tnoai\r\n",
        "rule-before-a-folded-line-without-colon": b"X-Robots-Tag: noai\r\nFoo bar\r\n more\r\n",
        "rule-with-a-zero-byte": b"X-Robots-Tag\x00: \x00noai\x00\r\n",
        "rule-in-the-first-line-folded": b" X-Robots-Tag: noai\r\n",
        "rules-in-two-lines": b"X-Robots-Tag: nofollow\r\nx-robots-tag: noai\r\n",
        "pause-before-a-space": b"Retry-After : 7\r\n",
        "pause-twice": b"Retry-After: 7\r\nRetry-After: 7\r\n",
        "type-twice": b"Content-Type: image/png\r\nContent-Type: text/html\r\n",
        "charset": b"Content-Type: text/html; charset=windows-1251\r\n",
    }
    return {name: ([_with(line)], OK) for name, line in lines.items()}
