"""The request log: its layout, which hours are closed, and its lines as Arrow batches."""
