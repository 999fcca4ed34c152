"""Naru's own objects on a cluster: render an overlay, compare, apply, report, remove. Objects of others are never touched."""
