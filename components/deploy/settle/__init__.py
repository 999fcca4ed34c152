"""Settle: look at the live test of a version that deploy began, judge it when it is time, and serve what came of it."""
