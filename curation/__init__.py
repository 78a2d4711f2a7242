"""gemcurate: raw images become measurements, decisions, crops, a split and balanced datasets."""
