"""The life of a stage: folders that are renamed when it ended well, its outcome, the project's own code."""
