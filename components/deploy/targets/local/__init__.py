"""The laptop: a model server as a process on loopback."""
