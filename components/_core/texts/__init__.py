"""Texts in natural language: personal data, languages, damage and near duplicates; NumPy and Arrow only, no download."""
