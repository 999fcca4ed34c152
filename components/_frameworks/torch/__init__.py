"""PyTorch: building and fitting a module, and exporting it to ONNX (`framework.py` is the entrance)."""
