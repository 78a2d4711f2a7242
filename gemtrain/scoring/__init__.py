"""Outputs of a model and judgements of its probabilities, which training and evaluation share."""
