"""Notices: tell people by a webhook or by mail what a watcher saw and what became of runs."""
