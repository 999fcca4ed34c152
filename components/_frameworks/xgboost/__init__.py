"""XGBoost: an estimator or parameters, fitted and converted as scikit-learn's are (`framework.py` is the entrance)."""
