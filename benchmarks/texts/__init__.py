"""Benchmarks of texts: the findings of validate on faults that were put in, and speed beside a bare reader."""
