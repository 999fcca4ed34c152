"""A column of pictures in a table of any format: bytes or paths in, canonical pictures and their measures out."""
