"""gemtrain: train models on balanced datasets, evaluate and export them."""
