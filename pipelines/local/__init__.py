"""Local runs: the same graph through kfp.local, without Docker, cluster or network."""
