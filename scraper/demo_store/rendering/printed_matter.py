"""Other printed matter among a store's photos: size charts, banners, placeholders and screenshots."""

import numpy as np
from PIL import Image, ImageDraw

from scraper.demo_store.rendering.certificates import font
from scraper.demo_store.rendering.stones import light_tent, make_stone, place_stone, rotation
from scraper.demo_store.rendering.varieties import Variety

_FACES = ("DejaVuSans", "DejaVuSerif", "STIXGeneral", "DejaVuSans-Oblique")
_BOLD = ("DejaVuSans-Bold", "DejaVuSerif-Bold", "STIXGeneralBol")
_OFFERS = (
    "FESTIVE SALE", "UP TO 50% OFF", "FREE SHIPPING WORLDWIDE", "NEW ARRIVALS", "BUY 2 GET 1 FREE",
    "Summer Sale 30% off", "BLACK FRIDAY", "Certified Gemstones", "30 DAYS RETURN", "LAST CHANCE",
)  # fmt: skip
_SMALL_PRINT = (
    "Shop now", "Use code GEM10 at checkout", "Offer valid until 31 March", "Terms and conditions apply",
    "www.gemdemo.test", "On all certified stones",
)  # fmt: skip
_MISSING = (
    ("IMAGE COMING SOON",), ("Image", "coming soon"), ("NO IMAGE AVAILABLE",), ("No image", "available"),
    ("Photo not available",), ("PHOTO", "COMING SOON"), ("Image not found",), ("Awaiting image",),
)  # fmt: skip
_SHOPS = ("GemDemo", "ROYAL GEMS", "The Gem House", "Stone & Star")

Ink = tuple[int, ...]


def size_chart(rng: np.random.Generator) -> np.ndarray:
    """A table of sizes in millimetres and weights in carats, uint8 RGB (height, width, 3)."""
    columns, rows = int(rng.integers(3, 7)), int(rng.integers(5, 13))
    width = int(rng.integers(480, 800))
    step = int(rng.integers(26, 44))
    head = int(width * 0.16)
    height = head + (rows + 1) * step + int(rng.integers(16, 90))
    ink, tint = _ink(rng), tuple(int(v) for v in rng.integers(205, 250, 3))
    sheet = Image.new("RGB", (width, height), "white" if rng.random() < 0.7 else tint)
    draw = ImageDraw.Draw(sheet)
    title = rng.choice(
        ["SIZE CHART", "Gemstone Size Guide", "CARAT / MM CONVERSION", "Ring Size Chart", "Calibrated Sizes"]
    )
    draw.text(
        (width / 2, head / 2), str(title), ink, font(str(rng.choice(_BOLD)), int(width * 0.055)), anchor="mm"
    )
    left, right = int(width * 0.04), int(width * 0.96)
    across = np.linspace(left, right, columns + 1)
    is_dark = rng.random() < 0.5
    draw.rectangle((left, head, right, head + step), fill=ink if is_dark else tint)
    titles = ["Size mm", "Round ct", "Oval ct", "Pear ct", "Cushion ct", "Octagon ct"]
    face, size = str(rng.choice(_FACES)), max(11, int(min(step * 0.5, width / columns * 0.14)))
    lengths = np.sort(rng.uniform(2, 15, rows)).round(1)
    for row in range(rows + 1):
        y = head + (row + 0.5) * step
        for column in range(columns):
            x = (across[column] + across[column + 1]) / 2
            if row == 0:
                draw.text((x, y), titles[column], "white" if is_dark else ink, font(face, size), anchor="mm")
                continue
            length = lengths[row - 1]
            cell = (
                f"{length} x {length * 0.8:.1f}"
                if column == 0
                else f"{length**3 * 0.0018 * (1 + column / 9):.2f}"
            )
            draw.text((x, y), cell, ink, font(face, size), anchor="mm")
        draw.line((left, y + step / 2, right, y + step / 2), fill=ink, width=1)
    for x in across:
        draw.line((x, head, x, head + (rows + 1) * step), fill=ink, width=1)
    return np.asarray(sheet)


def banner(variety: Variety, rng: np.random.Generator) -> np.ndarray:
    """A sale banner, more than three times as wide as high."""
    height = int(rng.integers(110, 240))
    width = int(height * rng.uniform(3.15, 6))
    image = _gradient(width, height, rng)
    if rng.random() < 0.6:
        side = int(height * rng.uniform(0.7, 0.95))
        _paste_stone(image, variety, int(width * rng.uniform(0.01, 0.05)), (height - side) // 2, side, rng)
    sheet = Image.fromarray(image)
    draw = ImageDraw.Draw(sheet)
    ink = (255, 255, 255) if image.mean() < 150 else (30, 25, 40)
    middle = width * rng.uniform(0.52, 0.58)
    _fitted(draw, str(rng.choice(_OFFERS)), (middle, height * 0.36), width * 0.6, height * 0.4, ink, rng)
    _fitted(
        draw, str(rng.choice(_SMALL_PRINT)), (middle, height * 0.74), width * 0.5, height * 0.17, ink, rng
    )
    return np.asarray(sheet)


def placeholder(rng: np.random.Generator) -> np.ndarray:
    """The placeholder for a missing photo: a few words, often below a sketch of a camera or stone."""
    width = int(rng.integers(300, 760))
    height = int(width * rng.choice([1.0, 1.0, 0.75]))
    paper = int(rng.integers(215, 256))
    sheet = Image.new("RGB", (width, height), (paper, paper, min(255, paper + int(rng.integers(0, 6)))))
    draw = ImageDraw.Draw(sheet)
    grey = int(rng.integers(60, 165))
    ink = (grey, grey, grey) if rng.random() < 0.7 else _ink(rng)
    sketch = rng.choice(["camera", "gem", "none"], p=[0.45, 0.3, 0.25])
    if sketch == "camera":
        _camera(draw, width / 2, height * 0.38, width * rng.uniform(0.12, 0.2), ink)
    elif sketch == "gem":
        _gem(draw, width / 2, height * 0.36, width * rng.uniform(0.12, 0.2), ink)
    lines = _MISSING[rng.integers(len(_MISSING))]
    middle = 0.5 if sketch == "none" else 0.7
    name, size = str(rng.choice(_FACES + _BOLD)), width * rng.uniform(0.065, 0.085)
    longest = max(font(name, int(size)).getlength(line) for line in lines)
    face = font(name, int(size * min(1, 0.9 * width / longest)))
    for row, line in enumerate(lines):
        down = (row - (len(lines) - 1) / 2) * face.size * 1.3
        draw.text((width / 2, height * middle + down), line, ink, face, anchor="mm")
    if rng.random() < 0.4:
        small = font(str(rng.choice(_BOLD)), int(width * 0.045))
        draw.text((width / 2, height * 0.9), str(rng.choice(_SHOPS)), ink, small, anchor="mm")
    return np.asarray(sheet)


def screenshot(variety: Variety, rng: np.random.Generator) -> np.ndarray:
    """A page of the shop: navigation bar, and a product's photo, name, price and button."""
    width, height = int(rng.integers(560, 800)), int(rng.integers(420, 700))
    sheet = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(sheet)
    accent, bar = _ink(rng), int(height * rng.uniform(0.09, 0.13))
    face, bold = str(rng.choice(_FACES)), str(rng.choice(_BOLD))
    is_dark = rng.random() < 0.5
    draw.rectangle((0, 0, width, bar), fill=accent if is_dark else (240, 240, 242))
    ink: Ink = (255, 255, 255) if is_dark else (40, 40, 45)
    draw.text((width * 0.03, bar / 2), str(rng.choice(_SHOPS)), ink, font(bold, int(bar * 0.42)), anchor="lm")
    for number, word in enumerate(("Home", "Gemstones", "Jewellery", "Contact")):
        draw.text(
            (width * (0.42 + 0.15 * number), bar / 2),
            word,
            ink,
            font(face, min(int(bar * 0.26), width // 48)),
            anchor="lm",
        )
    trail = f"Home > Gemstones > {variety.name}"
    draw.text((width * 0.03, bar * 1.4), trail, (120, 120, 120), font(face, 13), anchor="lm")
    side, top = int(min(width * 0.44, height * 0.6)), int(bar * 1.8)
    left = int(width * 0.03)
    draw.rectangle((left - 1, top - 1, left + side, top + side), outline=(200, 200, 200))
    x = left + side + int(width * 0.05)
    carats = rng.uniform(0.5, 9)
    lines = [
        (bold, 24, f"{variety.name} {carats:.2f} ct", (30, 30, 35)),
        (bold, 26, f"{rng.choice(['$', 'EUR', 'Rs.'])} {carats * rng.integers(60, 900):,.2f}", accent),
        (face, 15, "In stock, ships in 2 days", (40, 130, 60)),
        (face, 15, f"Origin: {rng.choice(variety.origins)}", (70, 70, 75)),
        (face, 15, f"Item no. {rng.integers(10**5, 10**6)}", (70, 70, 75)),
    ]
    y = top + 14
    for name, size, line, colour in lines:
        drawn = font(name, size)
        drawn = font(name, max(13, int(min(size, size * (width - x - 8) / drawn.getlength(line)))))
        draw.text((x, y), line, colour, drawn, anchor="lm")
        y += int(size * 1.7)
    draw.rounded_rectangle((x, y, min(width - 12, x + 190), y + 42), 6, fill=accent)
    draw.text(
        ((x + min(width - 12, x + 190)) / 2, y + 21), "Add to cart", "white", font(bold, 18), anchor="mm"
    )
    y = top + side + 24
    for line in (
        "Description",
        "Natural stone, cut by hand. Photographed in daylight.",
        "Customers also bought",
    ):
        if y < height - 12:
            draw.text((left, y), line, (50, 50, 55), font(face, 14), anchor="lm")
        y += 26
    image = np.asarray(sheet).copy()
    image[top : top + side, left : left + side] = int(rng.integers(225, 256))
    _paste_stone(image, variety, left, top, side, rng)
    return image


def _ink(rng: np.random.Generator) -> Ink:
    inks = ((25, 25, 30), (20, 40, 110), (120, 25, 35), (15, 90, 70), (90, 40, 120), (200, 90, 20))
    return inks[rng.integers(len(inks))]


def _gradient(width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    one, other = rng.uniform(20, 250, (2, 3))
    ramp = np.linspace(0, 1, width)[None, :, None]
    return np.broadcast_to(one + ramp * (other - one) * 0.5, (height, width, 3)).astype(np.uint8).copy()


def _fitted(
    draw: ImageDraw.ImageDraw, line: str, middle: tuple[float, float], width: float, height: float, ink: Ink,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    """Draw a line of text as large as fits."""
    name = str(rng.choice(_BOLD))
    size = int(min(height, height * width / font(name, int(height)).getlength(line)))
    draw.text(middle, line, ink, font(name, size), anchor="mm")


def _camera(draw: ImageDraw.ImageDraw, x: float, y: float, half: float, ink: Ink) -> None:
    line = max(2, int(half / 9))
    draw.rounded_rectangle(
        (x - half, y - half * 0.6, x + half, y + half * 0.7), half / 6, outline=ink, width=line
    )
    draw.rectangle((x - half * 0.35, y - half * 0.85, x + half * 0.35, y - half * 0.6), fill=ink)
    for radius in (0.42, 0.22):
        reach = half * radius
        draw.ellipse((x - reach, y - reach, x + reach, y + reach), outline=ink, width=line)


def _gem(draw: ImageDraw.ImageDraw, x: float, y: float, half: float, ink: Ink) -> None:
    """Draw a sketch of a brilliant from the side."""
    line = max(2, int(half / 12))
    table, girdle, culet = y - half * 0.6, y - half * 0.15, y + half * 0.8
    points = [
        (x - half * 0.6, table),
        (x + half * 0.6, table),
        (x + half, girdle),
        (x, culet),
        (x - half, girdle),
    ]
    draw.polygon(points, outline=ink, width=line)
    draw.line((x - half, girdle, x + half, girdle), fill=ink, width=line)
    for aside in (-0.4, 0.4):
        draw.line((x + aside * half, girdle, x, culet), fill=ink, width=line)
        draw.line((x + aside * half, girdle, x + aside * half * 0.6, table), fill=ink, width=line)


def _paste_stone(
    image: np.ndarray, variety: Variety, left: int, top: int, side: int, rng: np.random.Generator
) -> None:
    """Draw a stone into a square of the image, in place."""
    area = image[top : top + side, left : left + side]
    linear = (area.astype(np.float32) / 255) ** np.float32(2.2)
    turn = rotation(rng.uniform(0, 6.3), rng.uniform(0, 0.3), 0)
    place_stone(linear, make_stone(variety, rng), light_tent(rng), turn, 0, 0, side, rng)
    area[:] = (np.clip(linear, 0, 1) ** (1 / 2.2) * 255).astype(np.uint8)
