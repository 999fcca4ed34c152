"""Compare the requests that a version answered with the rows that it was trained on."""
