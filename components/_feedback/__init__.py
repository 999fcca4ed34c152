"""Feedback: labels that come later, joined with the request log, become the next span of examples; each row in exactly one."""
