"""scikit-learn: building, fitting, converting to ONNX, checking and calling a pipeline (`framework.py` is the entrance)."""
