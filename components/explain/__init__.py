"""Explain: which features the model goes by, for all rows and for one, and which of them look like leaks."""
