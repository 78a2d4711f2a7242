"""The datasets that models are trained on, as splits of pixels and labels."""
