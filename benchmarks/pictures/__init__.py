"""Benchmarks of pictures: speed and memory beside Pillow alone, and the findings of validate on faults that were put in."""
