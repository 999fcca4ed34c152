"""Tables in and out: formats say how rows are read, sources where files lie."""
