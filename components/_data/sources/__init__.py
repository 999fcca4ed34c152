"""Sources of tables: which files there are, and which belong to which span."""
