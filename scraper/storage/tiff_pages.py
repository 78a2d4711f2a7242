"""Where the pages of a TIFF end (TIFF 6.0, section 2)."""

import struct
from collections.abc import Iterator

#: More pages, fields of a page and numbers of a field are not looked at: they may overlap.
_PAGES, _FIELDS, _NUMBERS = 100, 1000, 10_000

#: The tags of where the parts of a page's pixels are, and of how long they are.
_STARTS, _LENGTHS = {273, 324}, {279, 325}
#: Types of a field, by their struct format.
_TYPES = {3: "H", 4: "I"}


def page_ends(content: bytes) -> Iterator[int]:
    """Of each page, how far the file must go: to the end of its directory and of its pixels."""
    order = "<" if content.startswith(b"II") else ">"
    seen: set[int] = set()
    at = _number(content, order, 4)
    while at and at not in seen and len(seen) < _PAGES:
        seen.add(at)
        fields = _fields(content, order, at)
        end = at + 6 + 12 * _number(content, order, at, "H")
        yield max([end, *map(sum, zip(_of(fields, _STARTS), _of(fields, _LENGTHS), strict=False))])
        at = _number(content, order, end - 4)


def _fields(content: bytes, order: str, at: int) -> dict[int, tuple[int, ...]]:
    """The numbers of a directory's fields by their tag, of those that say where pixels are."""
    fields = {}
    number = min(_number(content, order, at, "H"), _FIELDS)
    for entry in range(at + 2, at + 2 + 12 * number, 12):
        tag, kind = _number(content, order, entry, "H"), _number(content, order, entry + 2, "H")
        if tag in _STARTS | _LENGTHS and kind in _TYPES:
            count = min(_number(content, order, entry + 4), _NUMBERS)
            form = f"{order}{count}{_TYPES[kind]}"
            inside = struct.calcsize(form) <= 4
            where = entry + 8 if inside else _number(content, order, entry + 8)
            fields[tag] = struct.unpack_from(form, content, where) if _holds(content, form, where) else ()
    return fields


def _of(fields: dict[int, tuple[int, ...]], tags: set[int]) -> tuple[int, ...]:
    return next((fields[tag] for tag in sorted(tags & fields.keys())), ())


def _number(content: bytes, order: str, at: int, form: str = "I") -> int:
    """A number of the file; 0 behind its end."""
    form = order + form
    return int(struct.unpack_from(form, content, at)[0]) if _holds(content, form, at) else 0


def _holds(content: bytes, form: str, at: int) -> bool:
    return at + struct.calcsize(form) <= len(content)
