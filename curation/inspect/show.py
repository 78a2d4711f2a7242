"""The command `show`: what the stage `crop` does with one image, drawn and in numbers."""

import time
from pathlib import Path

from curation.cropping.crop_image import crop_file
from curation.cropping.params import CropParams
from curation.cropping.rembg_weights import fetch
from curation.inspect.visualise import draw_steps, step_strip
from gemkit.image_codec import encode_png
from gemkit.tables import write_bytes

#: Side of a panel of the steps, in pixels.
_PANEL = 320


def show(path: Path, settings: CropParams, steps: bool = False, out: Path | None = None) -> dict[str, object]:
    """Write the visible crop of an image, or all steps to it, as PNG; returns what was found.

    The default path is `<image>-crop.png` or `<image>-steps.png` in the working directory. Raises UserError
    for an image that is missing or broken, and when the model's weights cannot be fetched.
    """
    if settings.removal != "classical":
        fetch(settings.model)
    start = time.perf_counter()
    cropped = crop_file(path, settings)
    seconds = time.perf_counter() - start
    target = out or Path(f"{path.stem}-{'steps' if steps else 'crop'}.png")
    if steps:
        strip = step_strip(cropped.pixels, cropped.crop, _PANEL)
        content = draw_steps([(path.name, encode_png(strip))])
    else:
        content = encode_png(cropped.crop.visible)
    write_bytes(target, content)
    record = cropped.record
    return {
        "stone box": list(record.stone_box or ()),
        "crop box": list(record.crop_box),
        "method": record.method,
        "quality": "none" if record.quality is None else record.quality,
        "seconds": round(seconds, 3),
        "written": str(target),
    }
