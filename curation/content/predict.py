"""Apply a content head to stored features."""

import numpy as np
import pyarrow as pa

from curation.content.head import Head
from curation.tables import FEATURE_LENGTH


def content_probabilities(features: pa.Table, head: Head) -> pa.Table:
    """For each row of a table FEATURES the probability of each class, float32, null without features.

    The columns are `sha256` and the classes, in the order of the head.
    """
    vectors = features["features"].combine_chunks()
    is_null = vectors.is_null().to_numpy(zero_copy_only=False)
    values = vectors.fill_null([0] * FEATURE_LENGTH).flatten().to_numpy().reshape(-1, FEATURE_LENGTH)
    probabilities = head.probabilities(values).astype(np.float32)
    columns = {
        name: pa.array(probabilities[:, number], mask=is_null) for number, name in enumerate(head.classes)
    }
    return pa.table({"sha256": features["sha256"], **columns})
