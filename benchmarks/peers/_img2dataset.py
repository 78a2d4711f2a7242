"""Run img2dataset; started in the environment of `_peers`: `python _img2dataset.py URLS THREADS`."""

import importlib
import sys
from pathlib import Path
from typing import Any

from _atomic_write import write_atomically
from img2dataset.writer import FilesSampleWriter


class AtomicWriter(FilesSampleWriter):
    """Writes each image atomically, without a JSON file."""

    def write(self, img_str: bytes | None, key: str, caption: str | None, meta: dict[str, Any]) -> None:
        """See FilesSampleWriter."""
        if img_str is not None:
            write_atomically(Path(self.subfolder) / f"{key}.{self.encode_format}", img_str)
        self.buffered_parquet_writer.write(meta)


def main() -> None:
    """Download a list of URLs; images are decoded as a check and hashed, but not resized."""
    urls, threads = sys.argv[1:]
    img2dataset: Any = importlib.import_module("img2dataset.main")
    img2dataset.FilesSampleWriter = AtomicWriter
    img2dataset.download(
        urls,
        output_folder="images",
        resize_mode="no",
        skip_reencode=True,
        extract_exif=False,
        processes_count=1,
        thread_count=int(threads),
        number_sample_per_shard=1000,
    )


if __name__ == "__main__":
    main()
