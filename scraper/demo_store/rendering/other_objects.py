"""Store images without a stone: boxes, parcels, pouches, cloth, a table, a shop front."""

from collections.abc import Callable

import cv2
import numpy as np

from scraper.demo_store.rendering.drawing import Cuboid, fill, grain, inset, line, linear, pick, shadow
from scraper.demo_store.rendering.stones import backdrop, finish

#: sRGB of velvet, leather and card.
_CLOTHS = (
    (28, 34, 84),
    (110, 18, 32),
    (22, 22, 24),
    (20, 74, 56),
    (82, 44, 104),
    (226, 218, 204),
    (150, 140, 132),
)
_CARDBOARD = ((176, 132, 88), (160, 118, 76), (196, 158, 116))
_WOODS = ((120, 78, 46), (168, 122, 80), (88, 54, 34), (196, 164, 124))


def scene(rng: np.random.Generator) -> np.ndarray:
    """An image without a stone, uint8 RGB (height, width, 3)."""
    width = int(rng.integers(420, 800))
    height = int(width * rng.choice([1.0, 1.0, 0.8, 0.7]))
    draw = _SCENES[rng.integers(len(_SCENES))]
    # Drawing at half the size takes a quarter of the time; the camera's noise is added at full size.
    image = draw(width // 2, height // 2, rng)
    return finish(cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC).clip(0, 3), rng)


def _solid(
    image: np.ndarray, body: Cuboid, colour: np.ndarray, roughness: float, rng: np.random.Generator
) -> None:
    shadow(image, body.hull, 0.5, rng)
    texture = 1 + roughness * (grain(image.shape, 2, rng) + grain(image.shape, 30, rng))
    lit = rng.permutation([0.45, 0.75])
    for face, light in zip(body.faces, lit, strict=True):
        fill(image, face, colour * light * texture)
    fill(image, body.top, colour * 1.1 * texture)


def _closed_box(width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    image, colour = backdrop(width, height, rng), pick(_CLOTHS, rng)
    body = Cuboid(width, height, rng.uniform(0.45, 0.9), rng)
    _solid(image, body, colour, 0.06, rng)
    line(image, body.level(0.62), colour * 0.2, 2)
    line(image, body.level(0.58), colour * 1.8 + 0.02, 1)
    clasp = (body.faces[1][:2].mean(0) * 0.5 + body.faces[1][2:].mean(0) * 0.5)[None]
    gold = linear((212, 176, 96))
    fill(image, clasp + np.array([[-4, -5], [4, -5], [4, 5], [-4, 5]]) * width / 300, gold)
    if rng.random() < 0.4:
        ribbon = pick(_CLOTHS, rng)
        a, b, c, d = body.top
        line(image, np.array([(a + b) / 2, (c + d) / 2]), ribbon, width / 28)
        line(image, np.array([(b + c) / 2, (d + a) / 2]), ribbon, width / 28)
    return image


def _open_box(width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    image, colour = backdrop(width, height, rng), pick(_CLOTHS, rng)
    lining = linear(((238, 234, 226), (24, 24, 28), (228, 220, 200))[rng.integers(3)])
    body = Cuboid(width, height, rng.uniform(0.35, 0.6), rng)
    far = int(body.floor[:, 1].argmin())
    hinge = body.top[[far, (far + 1) % 4]]
    lean = np.array([rng.uniform(-0.04, 0.12) * width, -rng.uniform(0.24, 0.34) * height])
    lid = np.array([hinge[0], hinge[1], hinge[1] + lean, hinge[0] + lean])
    shadow(image, lid, 0.35, rng)
    fill(image, lid, colour * 0.8)
    satin = 1 + 0.12 * grain(image.shape, 14, rng)
    fill(image, inset(lid, 0.14), lining * 0.75 * satin)
    _solid(image, body, colour, 0.05, rng)
    fill(image, inset(body.top, 0.1), lining * 0.25)
    fill(image, inset(body.top, 0.16), lining * 0.9 * satin)
    a, b, c, d = inset(body.top, 0.3)
    for share in (0.42, 0.55):
        line(image, np.array([a + (d - a) * share, b + (c - b) * share]), lining * 0.2, width / 90)
    return image


def _parcel(width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    image, colour = _tabletop(width, height, rng), pick(_CARDBOARD, rng)
    body = Cuboid(width, height, rng.uniform(0.3, 1.0), rng)
    _solid(image, body, colour, 0.03, rng)
    a, b, c, d = body.top
    tape = np.array([a + (b - a) * 0.43, a + (b - a) * 0.57, d + (c - d) * 0.57, d + (c - d) * 0.43])
    fill(image, tape, linear((206, 180, 136)))
    line(image, np.array([(a + b) / 2, (c + d) / 2]), colour * 0.4, 1)
    across, down = (b - a) * 0.34, (d - a) * 0.4
    corner = a + (b - a) * 0.6 + (d - a) * 0.12
    fill(
        image,
        np.array([corner, corner + across, corner + across + down, corner + down]),
        linear((244, 244, 240)),
    )
    at = 0.1
    while at < 0.9:
        bar = np.array([corner + across * at + down * 0.2, corner + across * at + down * 0.75])
        line(image, bar, linear((30, 30, 30)), 1)
        at += rng.choice([0.05, 0.08, 0.12])
    return image


def _pouch(width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    image = backdrop(width, height, rng) if rng.random() < 0.6 else _tabletop(width, height, rng)
    colour, size = pick(_CLOTHS, rng), min(width, height) * rng.uniform(0.3, 0.38)
    down = np.linspace(-1.25, 1, 60)
    belly = np.sqrt(np.clip(1 - np.clip(down, 0, 1) ** 4, 0, 1)) * (0.78 - 0.2 * np.clip(-down, 0, 1))
    half = np.where(down < -0.72, 0.3 + 0.9 * (-0.72 - down), np.minimum(belly, 0.3 + 1.4 * (down + 0.72)))
    half = half * (1 + rng.normal(0, 0.004, 60))
    ruffle = np.linspace(half[0], -half[0], 20)
    rim = np.stack([ruffle, -1.25 + 0.06 * np.cos(ruffle * 28)], 1)
    outline = np.concatenate([np.stack([-half, down], 1), np.stack([half, down], 1)[::-1], rim])
    turn = rng.normal(0, 0.15)
    c, s = np.cos(turn), np.sin(turn)
    middle = np.array([width * rng.uniform(0.45, 0.55), height * 0.55])
    points = outline @ np.array([[c, s], [-s, c]]) * size + middle
    shadow(image, points, 0.5, rng)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    aside = ((x - middle[0]) * c + (y - middle[1]) * s) / size
    along = ((y - middle[1]) * c - (x - middle[0]) * s) / size
    wobble = grain(image.shape, size / 3, rng)[..., 0]
    folds = 0.2 * np.cos(aside * 22 + 1.5 * wobble) * np.exp(-((along + 0.7) ** 2) / 0.25)
    round_off = np.sqrt(np.clip(1 - (aside / 0.9) ** 2, 0.05, 1))
    shade = 0.35 + 0.7 * round_off + folds - 0.15 * aside + 0.05 * wobble
    fill(image, points, colour * shade[..., None] * (1 + 0.045 * grain(image.shape, 1.5, rng)))
    string = linear((214, 186, 110)) if rng.random() < 0.5 else colour * 0.3
    neck = np.array([[-0.3, -0.72], [0, -0.69], [0.3, -0.72]])
    for ends in (
        neck,
        np.array([[0.28, -0.72], [0.5, -0.4], [0.44, -0.1]]),
        np.array([[0.28, -0.7], [0.62, -0.5], [0.7, -0.2]]),
    ):
        line(image, ends @ np.array([[c, s], [-s, c]]) * size + middle, string, width / 100)
    return image


def _cloth(width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    """Draped fabric over the whole image, sometimes with tweezers on it."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / width
    angle, shape = rng.uniform(0, np.pi), (height, width)
    along = x * np.cos(angle) + y * np.sin(angle)
    bend = 0.5 * grain(shape, width / 3, rng)[..., 0] + 0.2 * grain(shape, width / 7, rng)[..., 0]
    relief = np.sin(along * rng.uniform(8, 20) + 2 * bend) + 0.4 * np.sin(along * 31 + 5 * bend)
    slope = np.gradient(cv2.GaussianBlur(relief.astype(np.float32), (0, 0), 2), axis=1) * 6
    shade = np.clip(0.75 + slope, 0.12, 1.6)[..., None]
    image: np.ndarray = pick(_CLOTHS, rng) * shade * (1 + 0.06 * grain(shape, 1.5, rng))
    if rng.random() < 0.4:
        _tweezers(image, rng)
    return image.astype(np.float32)


def _tabletop(width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    shape = (height, width)
    along = cv2.resize(
        rng.normal(0, 1, (height // 3, 5)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC
    )
    veins = 0.16 * along[..., None] + 0.08 * grain(shape, width / 4, rng) + 0.04 * grain(shape, 2, rng)
    return (pick(_WOODS, rng) * np.clip(1.1 + veins, 0.3, 2)).astype(np.float32)


def _table(width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    """A dealer's table: tweezers, a loupe, folded gem papers, a cloth."""
    image = _tabletop(width, height, rng) if rng.random() < 0.7 else backdrop(width, height, rng)
    for _ in range(int(rng.integers(1, 4))):
        size = np.array([width, width * 0.6]) * rng.uniform(0.12, 0.22)
        turn = rng.uniform(0, 6.3)
        c, s = np.cos(turn), np.sin(turn)
        sheet = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * size / 1.5 @ np.array([[c, s], [-s, c]])
        sheet = sheet + rng.uniform(0.2, 0.8, 2) * (width, height)
        shadow(image, sheet, 0.35, rng)
        paper = linear(rng.integers(225, 250, 3))
        fill(image, sheet, paper)
        a, b, d = sheet[0], sheet[1], sheet[3]
        for share in (0.33, 0.66):
            line(image, np.array([a + (d - a) * share, b + (d - a) * share]), paper * 0.65, 1)
    _tweezers(image, rng)
    if rng.random() < 0.7:
        _loupe(image, rng)
    return image


def _tweezers(image: np.ndarray, rng: np.random.Generator) -> None:
    height, width = image.shape[:2]
    length, turn = min(width, height) * rng.uniform(0.6, 0.85), rng.uniform(0, 6.3)
    forward = np.array([np.cos(turn), np.sin(turn)])
    aside = np.array([-forward[1], forward[0]])
    tip = np.array([width, height]) * 0.5 + forward * length / 2 + rng.uniform(-0.08, 0.08, 2) * width
    steel = linear(rng.integers(120, 190) + rng.integers(-6, 7, 3))
    for sign in (1, -1):
        along = np.array([0, 0.35, 0.75, 1])
        inner = sign * np.array([0.004, 0.022, 0.02, 0.0])
        outer = inner + sign * np.array([0.006, 0.022, 0.03, 0.016])
        edge = np.concatenate([np.stack([along, inner], 1), np.stack([along, outer], 1)[::-1]]) * length
        points = tip - edge[:, :1] * forward + edge[:, 1:] * aside
        shadow(image, points, 0.3, rng)
        fill(image, points, steel * (1.25 if sign > 0 else 0.7))
        line(image, points[4:], steel * 2, 1)


def _loupe(image: np.ndarray, rng: np.random.Generator) -> None:
    height, width = image.shape[:2]
    middle, radius = rng.uniform(0.2, 0.8, 2) * (width, height), width * rng.uniform(0.06, 0.09)
    angles = np.linspace(0, 2 * np.pi, 60)
    circle = np.stack([np.cos(angles), np.sin(angles)], 1)
    turn = rng.uniform(0, 6.3)
    far = np.array([np.cos(turn), np.sin(turn)]) * radius * 2.6
    line(image, np.array([middle + far * 0.4, middle + far]), linear((40, 40, 44)), radius * 0.7)
    shadow(image, middle + circle * radius, 0.4, rng)
    fill(image, middle + circle * radius, linear((34, 34, 38)))
    glass = image * 0.5 + linear((150, 160, 168)) * np.float32(rng.uniform(0.4, 0.7))
    fill(image, middle + circle * radius * 0.8, glass)


def _tray(width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    """An empty tray with slots or round jars."""
    colour = pick(_CLOTHS, rng)
    image = (
        colour * (1 + 0.06 * grain((height, width), 2, rng) + 0.05 * grain((height, width), 60, rng))
    ).astype(np.float32)
    image = image * np.ones((height, width, 3), np.float32)
    columns, rows = int(rng.integers(3, 7)), int(rng.integers(3, 6))
    step = np.array([width / columns, height / rows])
    angles = np.linspace(0, 2 * np.pi, 40)
    circle = np.stack([np.cos(angles), np.sin(angles)], 1) * step.min() * 0.38
    bar = np.array([[-0.4, -0.12], [0.4, -0.12], [0.4, 0.12], [-0.4, 0.12]]) * step
    shape, is_round = (circle, True) if rng.random() < 0.5 else (bar, False)
    for row in range(rows):
        for column in range(columns):
            place = (np.array([column, row]) + 0.5) * step
            fill(image, shape + place + (0, -1.5), colour * 0.25)
            fill(image, shape + place + (0, 1.5), colour * 1.7 + 0.02)
            fill(image, shape * 0.94 + place, linear((222, 222, 224)) if is_round else colour * 0.12)
    return image


def _shop_front(width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    """A façade: awning, window with shelves, door, pavement, and a blank sign."""
    shape = (height, width)
    wall = linear(rng.integers(120, 235) + rng.integers(-25, 26, 3))
    image = (wall * (1 + 0.05 * grain(shape, 3, rng) + 0.08 * grain(shape, 80, rng))).astype(np.float32)
    paint, size = pick(_CLOTHS, rng), np.array([width, height])

    def box(left: float, top: float, right: float, bottom: float, colour: np.ndarray) -> None:
        fill(image, np.array([[left, top], [right, top], [right, bottom], [left, bottom]]) * size, colour)

    box(0, 0.86, 1, 1, linear((120, 118, 116)) * (1 + 0.1 * grain(shape, 3, rng)))
    box(0.06, 0.1, 0.94, 0.22, paint)
    door = rng.choice([0.08, 0.7])
    box(door, 0.36, door + 0.22, 0.87, paint * 0.8)
    glow = linear((235, 214, 170)) * np.float32(rng.uniform(0.3, 0.9))
    box(door + 0.03, 0.4, door + 0.19, 0.72, glow * 0.7)
    left = 0.36 if door < 0.5 else 0.06
    box(left, 0.36, left + 0.58, 0.8, paint * 0.6)
    ramp = np.linspace(0.6, 1.2, width, dtype=np.float32)[None, :, None]
    box(left + 0.015, 0.38, left + 0.565, 0.78, glow * ramp * (1 + 0.15 * grain(shape, 40, rng)))
    for shelf in (0.52, 0.65):
        box(left + 0.015, shelf, left + 0.565, shelf + 0.01, paint * 0.4)
        for place in rng.uniform(0.04, 0.5, 5):
            rise = rng.uniform(0.04, 0.09)
            box(left + place, shelf - rise, left + place + rng.uniform(0.02, 0.05), shelf, pick(_CLOTHS, rng))
    stripes = int(rng.integers(8, 15))
    for stripe in range(stripes):
        one, other = 0.04 + stripe * 0.92 / stripes, 0.04 + (stripe + 1) * 0.92 / stripes
        colour = paint if stripe % 2 else linear((240, 238, 232))
        points = np.array(
            [[one * 0.94 + 0.03, 0.23], [other * 0.94 + 0.03, 0.23], [other, 0.345], [one, 0.345]]
        )
        fill(image, points * size, colour)
    box(0.04, 0.345, 0.96, 0.38, image * 0.6)
    return image


_SCENES: tuple[Callable[[int, int, np.random.Generator], np.ndarray], ...] = (
    _closed_box, _open_box, _parcel, _pouch, _cloth, _table, _tray, _shop_front,
)  # fmt: skip
