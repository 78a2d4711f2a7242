"""What imagededup does with codes and a picture; runs in the peers' environment, prints seconds and pairs."""

import sys
import time

import numpy as np
from imagededup.handlers.search.brute_force_cython import BruteForceCython
from imagededup.methods.hashing import PHash


def search(file: str, radius: int, queries: int) -> None:
    """Its default search on all codes; the time of `queries` of them, scaled to all."""
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
    """The best mean time of its encoder on the picture."""
    encoder, picture, best = PHash(verbose=False), np.load(file), np.inf
    for _ in range(10):
        start = time.perf_counter()
        for _ in range(50):
            encoder.encode_image(image_array=picture)
        best = min(best, (time.perf_counter() - start) / 50)
    print(best)


if __name__ == "__main__":
    if sys.argv[1] == "search":
        search(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        encode(sys.argv[2])
