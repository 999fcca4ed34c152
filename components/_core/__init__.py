"""Shared by all stages: errors, checks, the project file, artifacts. Knows no stage, no KFP and no TensorFlow."""
