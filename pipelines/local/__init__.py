"""The laptop: the same graph through kfp.local, with no Docker, no cluster and no network."""
