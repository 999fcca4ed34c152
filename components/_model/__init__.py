"""Shared by the stages that need TensorFlow: calling a saved model, reading transformed rows, fitting. Imports `_core` only."""
