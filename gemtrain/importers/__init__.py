"""Import user-supplied data as datasets."""
