"""Live tests in the champion's server: requests copied to a version under test, or answered by it. A mode is a module and a line in `table.py`."""
