"""The tables that `gemtrain` reads and writes."""

import pyarrow as pa

from curation.tables import DATASET, SPLITS

__all__ = ["DATASET", "PREDICTIONS", "SPLITS"]

#: metrics' companion, data/predictions/<dataset>/<recipe>.parquet: one row per test image, sorted by sha256.
#: `probabilities` are in order of label; `embedding` is the input of the network's last layer.
PREDICTIONS = pa.schema(
    [
        ("sha256", pa.string()),
        ("group_id", pa.string()),
        ("label", pa.int64()),
        ("probabilities", pa.list_(pa.float32())),
        ("embedding", pa.list_(pa.float32())),
    ]
)
