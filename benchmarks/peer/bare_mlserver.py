"""The least that serves a SavedModel on MLServer: named V2 inputs decoded, the signature called, its outputs encoded.

No validation, no request log, no metrics, no limit: what MLServer itself costs, with the settings that ours has.

    python benchmarks/peer/bare_mlserver.py SAVED_MODEL NAME PORT
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import tensorflow as tf
from mlserver import MLModel, MLServer, ModelSettings, Settings
from mlserver.codecs import NumpyCodec, StringCodec
from mlserver.settings import ModelParameters
from mlserver.types import InferenceRequest, InferenceResponse, RequestInput, ResponseOutput

_QUIET = {
    "version": 1,
    "disable_existing_loggers": False,
    "loggers": {name: {"level": "CRITICAL"} for name in ("mlserver", "uvicorn", "uvicorn.error", "uvicorn.access")},
}


class BareModel(MLModel):
    """A SavedModel and nothing else."""

    async def load(self) -> bool:
        self._model = tf.saved_model.load(self.settings.parameters.uri)
        self._serve = self._model.signatures["serving_default"]
        self._types = {name: spec.dtype for name, spec in self._serve.structured_input_signature[1].items()}
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        tensors = {item.name: tf.constant(_decode(item), self._types[item.name]) for item in payload.inputs}
        outputs = [_encode(name, tensor.numpy()) for name, tensor in self._serve(**tensors).items()]
        return InferenceResponse(model_name=self.name, outputs=outputs)


def _decode(item: RequestInput) -> Any:
    return StringCodec.decode_input(item) if item.datatype == "BYTES" else NumpyCodec.decode_input(item)


def _encode(name: str, values: Any) -> ResponseOutput:
    if values.dtype == object:
        return StringCodec.encode_output(name, [value.decode() for value in values], use_bytes=False)
    return NumpyCodec.encode_output(name, values)


def quiet_settings(port: str) -> Settings:
    """As our server has them, but without metrics and gRPC."""
    return Settings(
        debug=False,
        parallel_workers=0,
        host="127.0.0.1",
        http_port=int(port),
        grpc_port=0,
        metrics_endpoint=None,
        load_models_at_startup=False,
        logging_settings=_QUIET,
    )


def main() -> None:
    """Serve until a signal comes."""
    saved_model, name, port = sys.argv[1:]
    model = ModelSettings(name=name, implementation=BareModel, parameters=ModelParameters(uri=saved_model))
    asyncio.run(MLServer(quiet_settings(port)).start([model]))


if __name__ == "__main__":
    main()
