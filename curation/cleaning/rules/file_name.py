"""Files whose name says that they do not show a stone: a certificate, a hand, a size chart, a banner."""

import re
from collections.abc import Iterator

from curation.cleaning.image_table import ImageTable
from curation.cleaning.reasons import Finding
from gemkit.strict_model import StrictModel


class Settings(StrictModel):
    """Lower-case words and phrases. They match whole words only, so that 'handmade' does not match 'hand'."""

    words: tuple[str, ...] = (
        "cert", "certi", "certificate", "certificates", "lab report", "hand", "hands",
        "size chart", "sizechart", "size guide", "banner", "placeholder", "no image", "noimage", "watermark",
    )  # fmt: skip


def find(images: ImageTable, settings: Settings) -> Iterator[Finding]:
    phrases = re.compile("|".join(rf"\b{re.escape(word)}\b" for word in settings.words))
    for row, names in enumerate(images.file_names):
        for name in names:
            if settings.words and (match := phrases.search(words_of(name))):
                yield Finding(row, f"'{match[0]}' in '{name}'")
                break


def words_of(name: str) -> str:
    """The words of a file name, without its extension: 'sizeChart_2.jpg' → 'size chart'."""
    stem = name.rsplit(".", 1)[0]
    return " ".join(re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", stem)).lower()
