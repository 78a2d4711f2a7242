"""Train a recipe on a dataset (stage `train`)."""
