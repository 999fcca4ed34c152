"""Sources of tables: their files, by span."""
