"""TIFF of four bands: red, green, blue and one more, such as infrared."""

import struct

#: Tags of TIFF 6.0, and values of theirs.
_PHOTOMETRIC, _SAMPLES, _EXTRA_SAMPLES = 262, 277, 338
_GREY, _RGB = (0, 1), 2
_SHORT, _OPACITY = 3, 2


def four_bands(content: bytes) -> bytes | None:
    """The file with its fourth band declared as opacity, which Pillow keeps; None where it has no four.

    Programs write the fourth band of a measurement as opacity, as an extra band of no meaning, which Pillow
    leaves out, or as one of four greys, which it refuses.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(content[:4])
    if order is None:
        return None
    try:
        (start,) = struct.unpack_from(f"{order}I", content, 4)
        (count,) = struct.unpack_from(f"{order}H", content, start)
        entries = {
            struct.unpack_from(f"{order}H", content, place)[0]: place
            for place in range(start + 2, start + 2 + 12 * count, 12)
        }
        samples, photometric = (
            struct.unpack_from(f"{order}H", content, entries[tag] + 8)[0] for tag in (_SAMPLES, _PHOTOMETRIC)
        )
        if samples != 4 or photometric not in (*_GREY, _RGB):
            return None
        changed = bytearray(content)
        for tag, value in ((_PHOTOMETRIC, _RGB), (_EXTRA_SAMPLES, _OPACITY)):
            if tag in entries:  # where nothing is said of the fourth band Pillow takes it for opacity
                struct.pack_into(f"{order}HHIHH", changed, entries[tag], tag, _SHORT, 1, value, 0)
    except (struct.error, KeyError):
        return None
    return bytes(changed)
