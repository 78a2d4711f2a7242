"""Functions that can kill their worker, in a separate module so that workers start fast."""

import ctypes
import os
import signal
import time
from pathlib import Path
from typing import Any


def double(item: Any) -> Any:
    """Double the item or, if it names a misdeed, do it. ("once", folder, misdeed): only on the first call."""
    if isinstance(item, tuple):
        _, folder, item = item
        done = Path(folder) / item
        if done.exists():
            return item
        done.touch()
    if item == "crash":
        ctypes.string_at(0)
    elif item == "exit":
        os._exit(3)
    elif item == "be killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif item == "hang":
        # In C and holding the GIL, like a decoder in an endless loop.
        ctypes.PyDLL(None).sleep(100)
    elif item == "fill memory":
        return len(bytearray(2**31))
    elif item == "raise":
        raise ValueError("this is wrong")
    elif item == "sleep":
        time.sleep(60)
    return item * 2


def measure_or_crash(image: Any, settings: Any, graph: Any) -> Any:
    """`measure_image`, with a decoder that crashes on files that end in "crash"."""
    from curation.measurement.measure import measure_image

    if image.path.read_bytes().endswith(b"crash"):
        ctypes.string_at(0)
    return measure_image(image, settings, graph)


def crop_or_crash(image: Any, settings: Any) -> Any:
    """`crop_and_encode`, with a segmentation that crashes on files that end in "crash"."""
    from curation.cropping.crop import crop_and_encode

    if image.path.read_bytes().endswith(b"crash"):
        ctypes.string_at(0)
    return crop_and_encode(image, settings)
