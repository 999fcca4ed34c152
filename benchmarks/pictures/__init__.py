"""Pictures ingested and validated beside Pillow alone."""
