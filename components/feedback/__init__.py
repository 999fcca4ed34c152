"""Joins the request log with labels that come later, and writes the next span."""
