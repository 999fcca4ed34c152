"""The adapter to MLflow, shared by the stages that use the model registry; independent of any stage."""
