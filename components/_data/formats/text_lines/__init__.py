"""Plain text as a format: a row for each line."""
