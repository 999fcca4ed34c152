"""scikit-learn: building, fitting and converting a pipeline to ONNX (`framework.py` is the entrance)."""
