"""Reading of tables: formats read rows, sources list and open files."""
