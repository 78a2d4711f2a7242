"""Open the image files of strangers, without what their metadata or their decoders would do beside."""

import ctypes
import io

from PIL import Image, _imaging

from gemkit.image_formats import FORMATS
from gemkit.image_metadata import without_bombs


def open_image(content: bytes) -> Image.Image:
    """An image of FORMATS, its pixels not yet decoded. Raises what Pillow raises."""
    return Image.open(io.BytesIO(without_bombs(content)), formats=tuple(FORMATS))


def _silence_libtiff() -> None:
    """Keep libtiff from writing to the process's stderr; Pillow raises errors of its own."""
    library = ctypes.CDLL(_imaging.__file__)  # finds what Pillow is linked with
    set_handler = getattr(library, "TIFFSetErrorHandler", None)
    if set_handler is not None:
        set_handler.restype, set_handler.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
        set_handler(None)


_silence_libtiff()
