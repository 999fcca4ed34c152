"""What each stage of the lifecycle does: a folder is a stage, its name is a verb.

Attributes:
    STAGES: the stages of the training pipeline, in the order in which they run. A test holds this list against the
        folders, the image table, the tests and the docs.
"""

STAGES = ("ingest", "validate", "transform", "tune", "train", "evaluate", "explain", "register", "deploy")
