"""Near-duplicates: recall, false pairs and speed.

    python -m benchmarks.curation.duplicates [recall] [search] [peer] [hashing] [clean]

recall: every image of gems68 (data/external or GEMSCRAPE_EXTERNAL_DATA; skipped without it) together with a
copy of each image, for each kind of copy; pairs of different images are counted among the originals. search:
all pairs within 16 bits among 1,000,000 codes of 256 bits. peer: compared with imagededup on 50,000 codes of
64 bits (its default search, on a sample of the queries, as all of them take too long). hashing: compared with
its encoder. clean: the stage on the tables of a synthetic store.
"""

import argparse
import io
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from benchmarks._shared import GEMS68, NO_GEMS68
from benchmarks.curation._shop import SITE, write_shop
from benchmarks.peers._peers import imagededup
from curation.cleaning.clean import clean
from curation.cleaning.hamming_search import hamming, mirrored_pairs_within, pairs_within
from curation.cleaning.near_duplicate import Settings, confirm
from curation.measurement.perceptual_hash import THUMBNAIL, PerceptualHashes, perceptual_hashes
from curation.taxonomy.taxonomy import BUILT_IN, read_taxonomy
from gemkit.image_codec import decode
from gemkit.progress import Progress
from gemkit.project import Project

PARTS = ("recall", "search", "peer", "hashing", "clean")

_PEER = Path(__file__).parents[1] / "peers/_imagededup.py"
_PEER_QUERIES = 500
_SIDE = 256


def _encoded(pixels: np.ndarray, kind: str = "JPEG", quality: int = 90) -> np.ndarray:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind, quality=quality)
    return decode(out.getvalue()).pixels


def _scaled(pixels: np.ndarray, factor: float) -> np.ndarray:
    size = tuple(max(1, round(side * factor)) for side in pixels.shape[1::-1])
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))


def _cropped(pixels: np.ndarray, before: float, after: float) -> np.ndarray:
    height, width = pixels.shape[:2]
    rows = slice(round(before * height), height - round(after * height))
    return pixels[rows, round(before * width) : width - round(after * width)]


def _framed(pixels: np.ndarray, grey: int) -> np.ndarray:
    depth = round(0.05 * max(pixels.shape))
    return cv2.copyMakeBorder(pixels, *[depth] * 4, cv2.BORDER_CONSTANT, value=(grey, grey, grey))


def _lit(pixels: np.ndarray, factor: float) -> np.ndarray:
    return (pixels * factor).clip(0, 255).astype(np.uint8)


#: Kinds of copies; all except the formats are saved as a JPEG of quality 90.
COPIES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "half the size": lambda pixels: _encoded(_scaled(pixels, 0.5)),
    "double the size": lambda pixels: _encoded(_scaled(pixels, 2)),
    "JPEG, quality 40": lambda pixels: _encoded(pixels, quality=40),
    "PNG": lambda pixels: _encoded(pixels, "PNG"),
    "WebP, quality 80": lambda pixels: _encoded(pixels, "WEBP", 80),
    "5 % off each side": lambda pixels: _encoded(_cropped(pixels, 0.05, 0.05)),
    "5 % off a corner": lambda pixels: _encoded(_cropped(pixels, 0.05, 0)),
    "white frame of 5 %": lambda pixels: _encoded(_framed(pixels, 255)),
    "black frame of 5 %": lambda pixels: _encoded(_framed(pixels, 0)),
    "grey frame of 5 %": lambda pixels: _encoded(_framed(pixels, 128)),
    "10 % brighter": lambda pixels: _encoded(_lit(pixels, 1.1)),
    "10 % darker": lambda pixels: _encoded(_lit(pixels, 0.9)),
    "mirrored": lambda pixels: _encoded(np.ascontiguousarray(pixels[:, ::-1])),
}


class Table:
    """Hashes of images, as the rule reads them."""

    def __init__(self, rows: list[PerceptualHashes]):
        content = PerceptualHashes(*(b"".join(parts) for parts in zip(*rows, strict=True)))
        self.codes = np.frombuffer(content.phash, np.uint64)[:, None]
        self.mirrored = np.frombuffer(content.phash_mirrored, np.uint64)[:, None]
        shape = (-1, THUMBNAIL, THUMBNAIL, 3)
        self.thumbnails = np.frombuffer(content.thumbnail, np.uint8).reshape(shape)


def _hashes(pixels: np.ndarray) -> PerceptualHashes:
    scale = _SIDE / max(pixels.shape)
    size = [max(1, round(side * scale)) for side in pixels.shape[1::-1]]
    return perceptual_hashes(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))


def recall(step: int = 1) -> None:
    """Print the share of copies found, and list the pairs of images that are taken for copies."""
    files = sorted((GEMS68 / "train").rglob("*.jpg"))[::step]
    if not files:
        print(f"recall: skipped, {NO_GEMS68}")
        return
    rows: dict[str, list[PerceptualHashes]] = {name: [] for name in ("original", *COPIES)}
    seen, names = set(), []
    with Progress("copies", len(files)) as progress:
        for file in files:
            pixels = decode(file.read_bytes()).pixels
            progress.advance()
            if pixels.tobytes() in seen:
                continue
            seen.add(pixels.tobytes())
            names.append(f"{file.parent.name}/{file.stem}")
            rows["original"].append(_hashes(pixels))
            for name, change in COPIES.items():
                rows[name].append(_hashes(change(pixels)))
    settings, count = Settings(), len(names)
    for name in COPIES:
        table = Table(rows["original"] + rows[name])
        pairs = confirm(table.codes, table.mirrored, table.thumbnails, settings)[0]
        print(f"{name:<20} recall {(pairs[:, 1] == pairs[:, 0] + count).sum() / count:.4f}")
    table = Table(rows["original"])
    candidates = sum(
        len(pairs) for pairs in mirrored_pairs_within(table.codes, table.mirrored, settings.radius)
    )
    pairs, shares, shifts = confirm(table.codes, table.mirrored, table.thumbnails, settings)
    print(f"\n{count} images, {candidates} candidate pairs, {len(pairs)} of them taken for copies:")
    for (one, other), share, shift in sorted(
        zip(pairs.tolist(), shares, shifts, strict=True), key=lambda row: row[1]
    ):
        print(f"  residual {100 * share:.2f} %, colour {shift:.1f}: {names[one]}, {names[other]}")


def _planted(count: int, words: int, flips: int) -> np.ndarray:
    """Random codes; one in twenty is another code with at most `flips` bits flipped."""
    random = np.random.default_rng(1)
    codes = random.integers(0, 2**64, (count, words), dtype=np.uint64)
    copies = np.arange(count // 20)
    codes[copies] = codes[random.integers(count // 2, count, len(copies))]
    for _ in range(flips):
        bits = np.uint64(1) << random.integers(0, 64, len(copies)).astype(np.uint64)
        codes[copies, random.integers(0, words, len(copies))] ^= bits
    return codes


def search() -> None:
    """Print the time and memory of the search for all pairs among a million codes."""
    codes = _planted(1_000_000, 4, 16)
    start = time.perf_counter()
    pairs = pairs_within(codes, 16)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 2**30
    print(
        f"search: 1,000,000 codes of 256 bits within 16: {len(pairs):,} pairs, "
        f"{seconds:.1f} s, {peak:.2f} GiB"
    )


def peer() -> None:
    """Print the time of the search and of imagededup's, and the pairs that either misses."""
    if imagededup() is None:
        return
    codes, radius = _planted(50_000, 1, 8), Settings().radius
    start = time.perf_counter()
    pairs = pairs_within(codes, radius)
    ours = time.perf_counter() - start
    with tempfile.NamedTemporaryFile(suffix=".npy") as file:
        np.save(file, codes)
        file.flush()
        said = _peer("search", file.name, str(radius), str(_PEER_QUERIES)).splitlines()
    theirs, found = float(said[0]), {tuple(map(int, line.split())) for line in said[1:]}
    own = {(one, other) for one, other in pairs.tolist() if one < _PEER_QUERIES}
    assert (hamming(codes, pairs) <= radius).all()
    print(
        f"peer: 50,000 codes of 64 bits within {radius}: {ours:.2f} s; imagededup {theirs:.0f} s "
        f"(from {_PEER_QUERIES} queries), {theirs / ours:.0f} times as long; "
        f"{len(own)} pairs of these, {len(found - own)} found only by it, {len(own - found)} found only here"
    )


def _peer(*arguments: str) -> str:
    """The output of benchmarks/peers/_imagededup.py."""
    environment = os.environ | {"PYTHONPATH": str(imagededup())}
    command = [sys.executable, _PEER, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout


def hashing() -> None:
    """Print the time of all hashes of an image of 256 pixels, and that of imagededup's encoder."""
    random = np.random.default_rng(1)
    image = cv2.resize(random.integers(0, 256, (12, 12, 3), dtype=np.uint8), (_SIDE, _SIDE))
    cv2.setNumThreads(1)  # as in a worker of measure
    best = min(_clock(lambda: perceptual_hashes(image)) for _ in range(10))
    print(f"hashing: {best * 1e3:.3f} ms per image", end="")
    if imagededup() is None:
        print()
        return
    with tempfile.NamedTemporaryFile(suffix=".npy") as file:
        np.save(file, image)
        file.flush()
        theirs = float(_peer("encode", file.name))
    print(f"; imagededup's PHash {theirs * 1e3:.3f} ms, {theirs / best:.1f} times as long")


def _clock(function: Callable[[], object], rounds: int = 100) -> float:
    start = time.perf_counter()
    for _ in range(rounds):
        function()
    return (time.perf_counter() - start) / rounds


def clean_shop(images: int = 140_000) -> None:
    """Print the time of the stage from reading to writing."""
    taxonomy = read_taxonomy(BUILT_IN)
    with tempfile.TemporaryDirectory() as folder:
        project = Project(Path(folder))
        write_shop(project, images, [variety.name for variety in taxonomy.varieties.values()])
        start, cpu = time.perf_counter(), time.process_time()
        metrics = clean(project, [SITE]).metrics
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    copies = metrics.dropped["near_duplicate"]
    print(f"clean: {images:,} images, {seconds:.1f} s (CPU {cpu:.1f} s), {copies:,} near-duplicates")


def main() -> None:
    """Run the named parts, or all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", default=[], metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--step", type=int, default=1, help="recall: use every n-th image")
    options = parser.parse_args()
    if set(options.parts) - set(PARTS):
        parser.error(f"the parts are {', '.join(PARTS)}")
    run = {
        "recall": lambda: recall(options.step),
        "search": search,
        "peer": peer,
        "hashing": hashing,
        "clean": clean_shop,
    }
    for part in options.parts or PARTS:
        run[part]()
        sys.stdout.flush()


if __name__ == "__main__":
    main()
