"""Predict the classes of user-supplied photos with a trained model."""
