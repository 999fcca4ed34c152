"""The project file: its sections, the messages about what is wrong in it, the configuration that a stage sees."""
