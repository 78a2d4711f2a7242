"""Small encoded images."""

import io

from PIL import Image


def encoded(image: Image.Image, file_format: str = "PNG", **options: object) -> bytes:
    """The bytes of an image file; `options` go to Pillow."""
    content = io.BytesIO()
    image.save(content, file_format, **options)
    return content.getvalue()


def half_red(width: int = 40, height: int = 20) -> Image.Image:
    """Red on the left, blue on the right."""
    image = Image.new("RGB", (width, height), (0, 0, 255))
    image.paste((255, 0, 0), (0, 0, width // 2, height))
    return image
