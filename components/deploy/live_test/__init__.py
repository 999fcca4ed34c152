"""Live tests: a version beside the champion on the requests of users. A mode is a module and a line in `table.py`."""
