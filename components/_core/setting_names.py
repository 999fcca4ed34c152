"""Names of the environment variables that `settings.py` reads."""

STORE = "NARU_STORE"
TRACKING = "MLFLOW_TRACKING_URI"
SERVING = "NARU_SERVING"
NAMESPACE = "NARU_SERVING_NAMESPACE"
PYTHON = "NARU_PYTHON"
