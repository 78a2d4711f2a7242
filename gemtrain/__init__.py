"""gemtrain: a balanced dataset becomes a model, its metrics and figures."""
