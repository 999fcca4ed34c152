"""Shared by the stages that speak to the model registry: the border to MLflow. Knows no stage."""
