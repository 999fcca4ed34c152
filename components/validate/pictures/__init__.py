"""Checks of pictures over the columns that ingest measured, and the pictures that a person should look at."""
