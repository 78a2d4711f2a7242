"""The HTML report about the evaluated models."""
