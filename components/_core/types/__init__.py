"""Types shared by all stages: columns, signatures, labels, metrics. Imports nothing of the project file."""
