"""The variants of models that are served as ONNX. Importing this module imports no library of ONNX."""

from __future__ import annotations

from components._frameworks.contract import VariantKind

ONNX_VARIANTS = (
    VariantKind("folded", "constants calculated ahead, by onnxruntime"),
    VariantKind("float16", "matrix products in float16, by onnxruntime"),
    VariantKind("int8", "matrix products in int8, by onnxruntime"),
)
