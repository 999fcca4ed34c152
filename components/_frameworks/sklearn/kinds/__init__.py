"""The kinds of model that scikit-learn fits. Importing them imports no library."""
