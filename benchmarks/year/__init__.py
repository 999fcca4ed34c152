"""A year of flights through the whole loop on a compressed clock, beside never retraining and retraining every month."""
