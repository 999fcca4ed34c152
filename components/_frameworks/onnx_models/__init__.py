"""ONNX models: what their files may hold, the names and outputs of their graphs, and calls, for every framework that is served as ONNX."""
