"""Put an image with transparency on a plain background."""

import numpy as np

from gemkit.arrays import Array, Bytes


def on_colour(image: Bytes, colour: tuple[int, int, int]) -> Bytes:
    """An RGB or RGBA image [height, width, 3 or 4] as RGB, with the colour where it is transparent."""
    if image.shape[2] == 3:
        return image
    alpha: Array = image[..., 3:] / 255
    mixed: Array = image[..., :3] * alpha + np.array(colour) * (1 - alpha)
    return mixed.round().astype(np.uint8)
