"""Pictures: decoded within bounds, measured, compared; knows no stage."""
