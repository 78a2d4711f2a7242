"""File names like those of stores: most contain the product's number, some reveal dirt, some mislead."""

import datetime

import numpy as np

_HANDS = ("hand{number}", "hand-{product}-{number}", "{product}-hand-{number}")

#: Names that reveal a kind of dirt.
TELLING = {
    "certificate": ("certi{number}", "certificate-{number}", "{product}-certi-{number}"),
    "hand": _HANDS,
    "glove": _HANDS,
    "watermark": ("{product}-watermark-{number}", "watermark_{number}"),
    "size_chart": ("sizeChart{number}", "size-chart-{number}", "{product}-size-guide-{number}"),
    "banner": ("banner-{number}", "sale-banner-{number}", "homeBanner_{number}"),
    "placeholder": ("placeholder-{number}", "no-image-{number}", "noImage{number}"),
}

_TRAPS = ("product", "handmade", "perfect", "handpicked", "collection", "exact-colour")


def plain_name(
    rng: np.random.Generator,
    draw: float,
    number: int,
    product: str,
    place: int,
    added: datetime.date,
    stone: str,
) -> str:
    """Name of photo number `place` of a product, a `stone`; `draw`, from 0 to 1, selects the pattern."""
    if draw < 0.72:
        tail = f"-{number}" if draw > 0.6 else ""
        return f"{product}-{place}-{added:%d%m%y}{tail}.jpg"
    if draw < 0.8:
        return f"{rng.choice(_TRAPS)}-{stone}-{number}.jpg"
    return f"{stone}-gemstone-{number}.jpg"


def telling_name(rng: np.random.Generator, kind: str, number: int, product: str) -> str:
    """A name that reveals the kind, made from one of the patterns in `TELLING`."""
    names = [pattern.format(number=number, product=product) for pattern in TELLING[kind]]
    return f"{rng.choice(names)}.jpg"
