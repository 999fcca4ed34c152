"""Names of Naru's environment variables."""

STORE = "NARU_STORE"
TRACKING = "MLFLOW_TRACKING_URI"
SERVING = "NARU_SERVING"
NAMESPACE = "NARU_SERVING_NAMESPACE"
PYTHON = "NARU_PYTHON"
IMAGE = "NARU_IMAGE"
"""The image of the pod, set by the compiler; absent on a laptop."""
