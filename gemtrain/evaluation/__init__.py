"""Evaluate a trained model on the test split (stage `evaluate`)."""
