"""JSON lines: type inference over whole files, fast parsing of regular blocks, line by line parsing of others."""
