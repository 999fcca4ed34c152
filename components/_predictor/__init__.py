"""The predictor: a model, its border and its answers, the same for the servers and for batch prediction. Knows no protocol and no file."""
