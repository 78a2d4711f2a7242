"""The text of a robots.txt, in whatever form a server sends it, with our groups named alike."""

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase

from w3lib.encoding import read_bom

#: RFC 9309 2.5: at least 500 kibibytes are parsed.
PARSED_BYTES = 512_000

#: Bytes to read: one more than is parsed tells that the rest is missing.
READ_BYTES = PARSED_BYTES + 1

#: The spellings that Protego reads as the line that starts a group.
_AGENT_FIELDS = ("user-agent", "useragent", "user agent")

#: Longer names of agents are not ours; they would make costly patterns.
_LONGEST_AGENT = 200

#: The name of every agent that is neither we nor `*`.
_OTHER = "other"


def read_robots(body: bytes, agent: str) -> str:
    """The rules as text; of a longer body, the lines within the first 500 kibibytes.

    Group names that mean the `agent` (lower-cased) are written as it is, those of other crawlers as one name.
    So neither parser of the text takes a name for another one, or a group for each of a myriad of names.
    """
    text = _decode(body[:PARSED_BYTES])
    if len(body) > PARSED_BYTES:  # the last line is cut off
        text = text[: max(text.rfind("\n"), text.rfind("\r")) + 1]
    return "\n".join(_lines(text, agent))


def _decode(body: bytes) -> str:
    """The text of a byte order mark's encoding, else of UTF-8 (RFC 9309 2.2).

    Other bytes are percent-encoded: that is how URLs contain them, and how rules are compared (2.2.2).
    """
    encoding, mark = read_bom(body)
    if encoding is not None and mark is not None:
        text = body[len(mark) :].decode(encoding, "ignore")
    else:
        text = body.decode("utf-8", "surrogateescape")
        text = re.sub("[\udc80-\udcff]", lambda match: f"%{ord(match[0]) - 0xDC00:02X}", text)
    # Without NUL bytes, ASCII in UTF-16 without a byte order mark is text.
    return text.replace("\0", "").lstrip("\ufeff")


def _lines(text: str, agent: str) -> Iterator[str]:
    for line in text.splitlines():
        name = _agent_name(line)
        yield line if name is None else f"User-agent: {_known_as(name, agent)}"


def _agent_name(line: str) -> str | None:
    """The name in a line that starts a group; None for other lines."""
    words = " ".join(line.partition("#")[0].split())
    folded = words.lower()
    for field in _AGENT_FIELDS:
        if folded.startswith(field):
            rest = words[len(field) :]
            name = rest.lstrip().removeprefix(":").strip()
            return name if rest[:1] in (":", " ") and name else None
    return None


def _known_as(name: str, agent: str) -> str:
    """RFC 9309 2.2.1: a product token, in any case; what follows it (a version) is no part of it."""
    if name == "*" or name.startswith("* "):
        return "*"
    token = re.split("[^A-Za-z0-9_*?-]", name[:_LONGEST_AGENT].lower(), maxsplit=1)[0]
    return agent if fnmatchcase(agent, token) else _OTHER
