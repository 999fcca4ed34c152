"""Explain: which features the model uses, for all rows and for one, and which of them look like leaks."""
