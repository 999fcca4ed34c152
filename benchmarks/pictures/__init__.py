"""Benchmarks of pictures: speed and memory, and the findings of validate on faults that were put in."""
