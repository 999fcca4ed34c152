"""Joins: columns of a second table for each row of the table, as of the row's time."""
