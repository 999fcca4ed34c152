"""Deployment targets: where a version is served."""
