"""The image formats that are read, and how their files are named."""

#: Image formats by Pillow's names, with the suffix of their files.
FORMATS = {
    "JPEG": "jpg",
    "PNG": "png",
    "WEBP": "webp",
    "GIF": "gif",
    "BMP": "bmp",
    "TIFF": "tif",
    "AVIF": "avif",
}
#: File name suffixes of these formats, lower-cased.
SUFFIXES = {".jpeg", ".tiff", *(f".{suffix}" for suffix in FORMATS.values())}
