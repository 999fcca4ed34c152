"""Naru's own objects on a cluster: render an overlay, compare, apply, tell, remove. Never what others brought there."""
