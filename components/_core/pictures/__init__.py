"""Encoded pictures: opened within bounds, brought to one form, measured, and grouped by what they show."""
