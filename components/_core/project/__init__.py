"""The project file: its sections, its validation messages, and the configuration that a stage sees."""
