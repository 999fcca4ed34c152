"""Adapter to a KFP server: its address, its REST API, the objects on it and whose they are."""
