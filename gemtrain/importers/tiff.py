"""TIFF files with four bands: red, green, blue and another one, such as infrared."""

import struct

#: Tags of TIFF 6.0, and values of these tags.
_PHOTOMETRIC, _SAMPLES, _EXTRA_SAMPLES = 262, 277, 338
_GREY, _RGB = (0, 1), 2
_SHORT, _OPACITY = 3, 2


def four_bands(content: bytes) -> bytes | None:
    """The file with its fourth band declared as opacity, which Pillow keeps; None if it does not have four
    bands.

    Programs write the fourth band as opacity; as an extra band without a meaning, which Pillow drops; or as
    one of four grey bands, which Pillow refuses.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(content[:4])
    if order is None:
        return None
    try:
        (start,) = struct.unpack_from(f"{order}I", content, 4)
        (count,) = struct.unpack_from(f"{order}H", content, start)
        entries = {
            struct.unpack_from(f"{order}H", content, entry)[0]: entry
            for entry in range(start + 2, start + 2 + 12 * count, 12)
        }
        samples, photometric = (
            struct.unpack_from(f"{order}H", content, entries[tag] + 8)[0] for tag in (_SAMPLES, _PHOTOMETRIC)
        )
        if samples != 4 or photometric not in (*_GREY, _RGB):
            return None
        changed = bytearray(content)
        for tag, value in ((_PHOTOMETRIC, _RGB), (_EXTRA_SAMPLES, _OPACITY)):
            if tag in entries:  # without a declaration Pillow treats the fourth band as opacity
                struct.pack_into(f"{order}HHIHH", changed, entries[tag], tag, _SHORT, 1, value, 0)
    except (struct.error, KeyError):
        return None
    return bytes(changed)
