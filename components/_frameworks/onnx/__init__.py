"""The framework `onnx`: a finished model that was trained elsewhere, in a file of the project."""
