"""Predict: answer the rows of a table as the served model answers them, part by part, and write them with their answers."""
