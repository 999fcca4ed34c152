"""The graphs: which stages a pipeline has, and what flows between them."""
