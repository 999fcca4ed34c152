"""CSV: schema inference over whole files, fast reading of clean blocks, cell by cell reading of others."""
