"""Serving on a cluster through Seldon: the object that is asked for, and what must be right about it beforehand."""
