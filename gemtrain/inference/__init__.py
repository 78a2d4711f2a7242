"""Predict the classes of user-supplied images with a trained model."""
