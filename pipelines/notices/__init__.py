"""The notices of runs that a person started."""
