"""Where predictions go: one module for each kind of place, and the table that finds it by the location."""
