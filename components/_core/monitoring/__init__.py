"""Counts of features and predictions, and the reference of counts that a version keeps; what a monitor judges."""
