"""The varieties that the demo store sells: their appearance and the class names they are listed under."""

from collections.abc import Mapping
from dataclasses import dataclass

from scraper.demo_store.rendering import inclusions
from scraper.demo_store.rendering.inclusions import Pattern


@dataclass(frozen=True)
class Colour:
    """One colour of a variety: hue in degrees, saturation, depth (optical density; 1 is strong)."""

    share: float
    hue: tuple[float, float]
    saturation: tuple[float, float]
    depth: tuple[float, float]


@dataclass(frozen=True)
class Variety:
    """`photos`: usable photos at scale 1. A stone is listed under one of `names`, some also under a parent.

    `strength`: range of the visibility of inclusions; `white`: how much they scatter white light (1) rather
    than deepen or thin the stone's own colour (0).
    """

    name: str
    species: str
    photos: int
    refractive_index: float
    colours: tuple[Colour, ...]
    pattern: Pattern
    names: tuple[str, ...]
    parents: tuple[str, ...]
    origins: tuple[str, ...]
    cuts: Mapping[str, float]
    strength: tuple[float, float] = (0.95, 1.25)
    white: float = 1.0


_ANY_CUT = {"round": 3, "oval": 5, "emerald": 2, "pear": 2, "heart": 1, "cushion": 3, "cabochon": 2}

VARIETIES = (
    Variety(
        name="Sapphire",
        species="Corundum",
        photos=210,
        refractive_index=1.77,
        colours=(
            Colour(0.41, (196, 237), (0.52, 0.92), (0.5, 1.9)),
            Colour(0.23, (320, 356), (0.52, 0.92), (0.45, 1.8)),
            Colour(0.18, (256, 292), (0.4, 0.88), (0.5, 1.8)),
            Colour(0.10, (90, 160), (0.5, 0.9), (0.6, 1.8)),
            Colour(0.08, (42, 56), (0.6, 0.92), (0.6, 1.3)),
        ),
        pattern=inclusions.zoning,
        names=("Kashmir Sapphire", "Burmese Sapphire", "Sapphire"),
        parents=("Sapphire",),
        origins=("Sri Lanka", "Madagascar"),
        cuts=_ANY_CUT,
        white=0.15,
    ),
    Variety(
        name="Ruby",
        species="Corundum",
        photos=160,
        refractive_index=1.77,
        colours=(Colour(1, (334, 360), (0.65, 0.95), (0.6, 2.1)),),
        pattern=inclusions.silk,
        names=("Burmese Ruby", "Manik", "Ruby"),
        parents=("Ruby",),
        origins=("Myanmar", "Mozambique"),
        cuts=_ANY_CUT,
    ),
    Variety(
        name="Emerald",
        species="Beryl",
        photos=150,
        refractive_index=1.58,
        colours=(Colour(1, (105, 165), (0.5, 0.9), (0.6, 1.9)),),
        pattern=inclusions.jardin,
        names=("Colombian Emerald", "Panna", "Emerald"),
        parents=("Emerald",),
        origins=("Colombia", "Zambia"),
        cuts={**_ANY_CUT, "emerald": 14},
        white=0.9,
    ),
    Variety(
        name="Blue Topaz",
        species="Topaz",
        photos=140,
        refractive_index=1.62,
        colours=(
            Colour(0.65, (188, 214), (0.4, 0.85), (0.4, 1.5)),
            Colour(0.35, (190, 218), (0.5, 0.92), (0.6, 1.8)),
        ),
        pattern=inclusions.clean,
        names=("Blue Topaz",),
        parents=("Topaz",),
        origins=("Brazil", "Nigeria"),
        cuts=_ANY_CUT,
        strength=(0.0, 0.0),
    ),
    Variety(
        name="Amethyst",
        species="Quartz",
        photos=95,
        refractive_index=1.55,
        colours=(Colour(1, (256, 300), (0.4, 0.88), (0.5, 1.9)),),
        pattern=inclusions.chevrons,
        names=("African Amethyst", "Jamunia", "Amethyst"),
        parents=("Amethyst", "Quartz"),
        origins=("Zambia", "Uruguay"),
        cuts=_ANY_CUT,
        white=0.15,
    ),
    Variety(
        name="Aquamarine",
        species="Beryl",
        photos=120,
        refractive_index=1.58,
        colours=(Colour(1, (182, 212), (0.4, 0.88), (0.3, 1.5)),),
        pattern=inclusions.rain,
        names=("Aquamarine", "Beruj"),
        parents=("Aquamarine",),
        origins=("Brazil", "Pakistan"),
        cuts=_ANY_CUT,
    ),
    Variety(
        name="Peridot",
        species="Olivine",
        photos=115,
        refractive_index=1.67,
        colours=(Colour(1, (82, 142), (0.5, 0.9), (0.6, 1.9)),),
        pattern=inclusions.lily_pads,
        names=("Peridot", "Zabarjad"),
        parents=("Peridot",),
        origins=("Pakistan", "Egypt"),
        cuts=_ANY_CUT,
        white=0.9,
    ),
    Variety(
        name="Red Spinel",
        species="Spinel",
        photos=105,
        refractive_index=1.72,
        colours=(Colour(1, (330, 362), (0.65, 0.95), (0.6, 2.1)),),
        pattern=inclusions.octahedra,
        names=("Red Spinel",),
        parents=("Spinel",),
        origins=("Myanmar", "Tanzania"),
        cuts=_ANY_CUT,
    ),
    Variety(
        name="Almandine Garnet",
        species="Garnet",
        photos=75,
        refractive_index=1.78,
        colours=(Colour(1, (337, 365), (0.7, 0.96), (0.8, 2.2)),),
        pattern=inclusions.crystals,
        names=("Almandine Garnet",),
        parents=("Garnet",),
        origins=("India", "Tanzania"),
        cuts=_ANY_CUT,
    ),
)

BY_NAME = {variety.name: variety for variety in VARIETIES}
