"""Names of the environment variables that say where things live outside the code; `settings.py` reads them."""

STORE = "NARU_STORE"
TRACKING = "MLFLOW_TRACKING_URI"
SERVING = "NARU_SERVING"
NAMESPACE = "NARU_SERVING_NAMESPACE"
PYTHON = "NARU_PYTHON"
