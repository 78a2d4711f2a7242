"""The tables that `gemtrain` reads and writes."""

import pyarrow as pa

from curation.tables import DATASET, SPLITS

__all__ = ["DATASET", "PREDICTIONS", "SPLITS"]

#: data/predictions/<dataset>/<recipe>.parquet: one row per validation and test image, sorted by sha256.
#: `probabilities` are in order of label, before calibration (the temperature is in the metrics); `embedding`
#: is the input of the network's last layer. Every class has a test image, so `label`, `variety` and `species`
#: name all classes.
PREDICTIONS = pa.schema(
    [
        ("sha256", pa.string()),
        ("group_id", pa.string()),
        ("split", pa.string()),
        ("label", pa.int64()),
        ("variety", pa.string()),
        ("species", pa.string()),
        ("probabilities", pa.list_(pa.float32())),
        ("embedding", pa.list_(pa.float32())),
    ]
)
