"""Validate: statistics, schema, anomalies and drift of the examples, judged by the project's policy."""
