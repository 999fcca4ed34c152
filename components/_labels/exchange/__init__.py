"""The formats in which work lists go out and labels come back."""
