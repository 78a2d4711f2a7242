"""Run imagededup on hashes or an image, started with the folder of `_peers`; prints seconds and pairs."""

import sys
import time

import numpy as np
from imagededup.handlers.search.brute_force_cython import BruteForceCython
from imagededup.methods.hashing import PHash


def search(file: str, radius: int, queries: int) -> None:
    """Search with its default method; the time of `queries` queries is scaled to all hashes."""
    codes = np.load(file)[:, 0]
    hashes = {str(number): f"{code:016x}" for number, code in enumerate(codes.tolist())}
    engine = BruteForceCython(hashes, PHash.hamming_distance)
    start = time.perf_counter()
    found = [(number, engine.search(hashes[str(number)], radius)) for number in range(queries)]
    print((time.perf_counter() - start) * len(codes) / queries)
    for number, hits in found:
        for name, _ in hits:
            if int(name) > number:
                print(number, int(name))


def encode(file: str) -> None:
    """Print the best mean time of its encoder on the image."""
    encoder, image, best = PHash(verbose=False), np.load(file), np.inf
    for _ in range(10):
        start = time.perf_counter()
        for _ in range(50):
            encoder.encode_image(image_array=image)
        best = min(best, (time.perf_counter() - start) / 50)
    print(best)


if __name__ == "__main__":
    if sys.argv[1] == "search":
        search(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        encode(sys.argv[2])
