"""gRPC of the v2 server: reads inference requests from the message itself, and answers or refuses them with Naru's messages.

MLServer makes a Python object of every value, reports faulty raw tensors in its libraries' terms, and refuses too large messages
as if the server were busy. Its metadata, health and repository calls are kept.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
from google.protobuf.message import DecodeError
from grpc import aio
from mlserver.grpc import dataplane_pb2 as pb
from mlserver.grpc.model_repository import ModelRepositoryServicer
from mlserver.grpc.server import GRPCServer
from mlserver.grpc.servicers import InferenceServicer

from components._core.types.oip_requests import output_datatype
from components._predictor.refusals import STATUS, Refusal
from components.serve.limits import Limits
from components.serve.mlserver_grpc_control import SERVICE, control_handlers
from components.serve.oip_bounds import Bounds
from components.serve.oip_grpc_bounds import check_entries, not_a_request
from components.serve.oip_json import Tensor, check_shape
from components.serve.oip_parameters import check_request, decode_input

if TYPE_CHECKING:
    from components.serve.mlserver_runtime import NaruRuntime

_CODES = {
    STATUS["too_busy"]: grpc.StatusCode.RESOURCE_EXHAUSTED,
    STATUS["model_failed"]: grpc.StatusCode.INTERNAL,
}
_REFUSED_HERE = 6
"""Messages up to this multiple of the bound are refused here; gRPC itself refuses larger ones while it reads them."""
_FIELDS = {
    "BOOL": "bool_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}
_RAW = {
    "BOOL": "?",
    "UINT8": "u1",
    "UINT16": "<u2",
    "UINT32": "<u4",
    "UINT64": "<u8",
    "INT8": "i1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "FP16": "<f2",
    "FP32": "<f4",
    "FP64": "<f8",
}


class GrpcFastPath:
    """Answers `ModelInfer` of one model.

    Args:
        name: The model's name.
        version: The model's version; empty: none.
        limits: Limits of one request.

    Attributes:
        limits: The limits.
    """

    def __init__(self, name: str, version: str, limits: Limits) -> None:
        self._name, self._version, self.limits = name, version, limits
        self._runtime: NaruRuntime | None = None

    def open(self, runtime: NaruRuntime) -> None:
        """Start answering: the model is loaded."""
        self._runtime = runtime

    def install(self, server: Any) -> None:
        """Replace the gRPC server of an MLServer that has not started yet."""
        found = server._grpc_server
        server._grpc_server = _Server(found._settings, found._data_plane, found._model_repository_handlers, self)

    def options(self) -> list[tuple[str, int]]:
        """Return options for gRPC's server: limits on messages and on silent connections."""
        head, idle = int(self.limits.head_seconds * 1_000), int(self.limits.idle_seconds * 1_000)
        return [
            ("grpc.max_receive_message_length", _REFUSED_HERE * self.limits.body_bytes),
            ("grpc.max_metadata_size", self.limits.header_bytes),
            ("grpc.server_handshake_timeout_ms", head),
            ("grpc.max_connection_idle_ms", idle),
            ("grpc.so_reuseport", 0),
        ]

    async def infer(self, content: bytes, context: Any, otherwise: Callable[[Any, Any], Any]) -> Any:
        """Answer the bytes of a message; `otherwise` answers requests for other models, which are not served here."""
        try:
            if len(content) > self.limits.body_bytes:
                text = f"the message has {len(content)} bytes; at most {self.limits.body_bytes} are allowed"
                raise Refusal("too_large", text)
            runtime = self._runtime
            if runtime is None:
                return await otherwise(self._without_values(_parse(content, self.limits)), context)
            async with runtime.admission.slot() as slot:
                message = _parse(content, self.limits)
                if not self._is_served(message):
                    slot.hand_over()
                else:
                    return await self._answer(runtime, message)
            return await otherwise(self._without_values(message), context)
        except Refusal as refusal:
            await context.abort(_CODES.get(refusal.status, grpc.StatusCode.INVALID_ARGUMENT), str(refusal))

    def _without_values(self, message: Any) -> Any:
        """Return a request for another model without its inputs: MLServer would make an object of each value before it looks for the model."""
        bounds = Bounds(self.limits, 1)
        bounds.check_names([message.model_name, message.model_version])
        return pb.ModelInferRequest(model_name=message.model_name, model_version=message.model_version)

    def _is_served(self, message: Any) -> bool:
        return message.model_name == self._name and message.model_version in ("", self._version)

    async def _answer(self, runtime: NaruRuntime, message: Any) -> bytes:
        runtime.bounds.check_id(message.id)
        runtime.bounds.check_count(len(message.inputs))
        runtime.bounds.check_count(len(message.outputs), "outputs")
        runtime.bounds.check_names(given.name for given in message.inputs)
        check_request(_parameters(message))
        chosen = runtime.choose([(output.name, _parameters(output)) for output in message.outputs])
        request_id = message.id or str(uuid.uuid4())
        answer = await runtime.answer(request_id, _tensors(message, runtime), is_open=not message.model_version)
        version = self._version if answer.version is None else answer.version
        return self._write(request_id, version, chosen(answer.outputs), is_raw=bool(message.raw_input_contents))

    def _write(self, request_id: str, version: str, outputs: dict[str, np.ndarray[Any, Any]], *, is_raw: bool) -> bytes:
        """Write the answer in the form of the request: raw contents for raw contents."""
        answer = pb.ModelInferResponse(model_name=self._name, model_version=version, id=request_id)
        for name, values in outputs.items():
            is_text = values.dtype == object
            output = answer.outputs.add(name=name, datatype=output_datatype(values), shape=values.shape)
            texts = [str(text).encode() for text in values.ravel()] if is_text else []
            if is_raw and is_text:
                answer.raw_output_contents.append(b"".join(len(text).to_bytes(4, "little") + text for text in texts))
            elif is_raw:
                answer.raw_output_contents.append(values.astype("<f4").tobytes())
            elif is_text:
                output.contents.bytes_contents.extend(texts)
            else:
                output.contents.fp32_contents.extend(values.ravel().tolist())
        content: bytes = answer.SerializeToString()
        return content


class _Server(GRPCServer):
    def __init__(self, settings: Any, data_plane: Any, repository: Any, fast_path: GrpcFastPath) -> None:
        super().__init__(settings, data_plane, repository)
        self._fast_path = fast_path

    def _create_server(self) -> Any:
        servicer = InferenceServicer(self._data_plane, self._model_repository_handlers)
        self._server = aio.server(ThreadPoolExecutor(1), options=self._fast_path.options())
        repository = ModelRepositoryServicer(self._model_repository_handlers)
        control = control_handlers(servicer, repository, self._fast_path.limits)
        self._server.add_generic_rpc_handlers((_handlers(self._fast_path, servicer), *control))
        self._server.add_insecure_port(f"{self._settings.host}:{self._settings.grpc_port}")
        return self._server


def _handlers(fast_path: GrpcFastPath, servicer: Any) -> Any:
    async def otherwise(message: Any, context: Any) -> bytes:
        answer = await servicer.ModelInfer(message, context)
        content: bytes = answer.SerializeToString()
        return content

    async def infer(content: bytes, context: Any) -> Any:
        return await fast_path.infer(content, context, otherwise)

    async def stream(_: Any, context: Any) -> None:
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "streams are not supported; use ModelInfer")

    methods = {
        "ModelInfer": grpc.unary_unary_rpc_method_handler(infer),  # without a deserializer: the raw bytes
        "ModelStreamInfer": grpc.stream_stream_rpc_method_handler(stream),
    }
    return grpc.method_handlers_generic_handler(SERVICE, methods)


def _parse(content: bytes, limits: Limits) -> Any:
    check_entries(content, limits)
    try:
        return pb.ModelInferRequest.FromString(content)
    except (DecodeError, RecursionError):
        raise not_a_request() from None


def _parameters(holder: Any) -> dict[str, Any]:
    found = {}
    for name, parameter in holder.parameters.items():
        kind = parameter.WhichOneof("parameter_choice")
        found[name] = getattr(parameter, kind) if kind else ""
    return found


def _tensors(message: Any, runtime: NaruRuntime) -> Iterator[Tensor]:
    raw = message.raw_input_contents
    if raw and len(raw) != len(message.inputs):
        text = f"{len(raw)} raw_input_contents for {len(message.inputs)} inputs; send one for each"
        raise Refusal("wrong_shape", text)
    for number, given in enumerate(message.inputs):
        shape = list(given.shape)
        if given.datatype not in _RAW and given.datatype != "BYTES":
            raise Refusal("wrong_type", f"{given.name!r}: {given.datatype[:40]!r} is not a datatype of the protocol")
        check_shape(given.name, shape)
        if shape[0] < 0:
            raise Refusal("wrong_shape", f"{given.name!r} has shape {shape}; a number of rows is not negative")
        runtime.bounds.check_rows(shape[0])
        data = _read_raw(given, shape[0], raw[number]) if raw else _read_contents(given, runtime)
        if isinstance(data, list):
            runtime.bounds.check_texts(given.name, data)
        yield Tensor(
            given.name, given.datatype, shape, decode_input(given.name, given.datatype, _parameters(given), data)
        )


def _read_contents(given: Any, runtime: NaruRuntime) -> list[Any]:
    field = _FIELDS.get(given.datatype)
    for found, values in given.contents.ListFields():
        runtime.bounds.check_rows(len(values))
        if found.name != field:
            message = (
                f"{given.name!r} is sent as {given.datatype} with {found.name}; allowed: {field or 'raw contents only'}"
            )
            raise Refusal("wrong_type", message)
    return list(getattr(given.contents, field)) if field else []


def _read_raw(given: Any, count: int, raw: bytes) -> Any:
    if given.contents.ListFields():
        raise Refusal("wrong_shape", f"{given.name!r} has contents and raw_input_contents; send only one of the two")
    if given.datatype == "BYTES":
        return _read_raw_texts(given.name, count, raw)
    dtype = np.dtype(_RAW[given.datatype])
    if len(raw) != count * dtype.itemsize:
        message = f"{given.name!r}, raw: {len(raw)} bytes, but {count} values of {given.datatype} have {count * dtype.itemsize}"
        raise Refusal("wrong_shape", message)
    values = np.frombuffer(raw, dtype)
    if dtype.kind == "f":
        return values.astype(np.float64)
    return values.astype(np.int64) if dtype.kind in "iu" and given.datatype != "UINT64" else values.tolist()


def _read_raw_texts(name: str, count: int, raw: bytes) -> list[bytes]:
    """Read texts, each preceded by its length: four bytes, little-endian."""
    texts: list[bytes] = []
    start = 0
    while start < len(raw) and len(texts) <= count:
        end = start + 4 + int.from_bytes(raw[start : start + 4], "little")
        if start + 4 > len(raw) or end > len(raw):
            raise Refusal("wrong_shape", f"{name!r}, raw: text {len(texts)} is longer than the rest of the data")
        texts.append(raw[start + 4 : end])
        start = end
    if len(texts) != count:
        more = "more than " if len(texts) > count else ""
        raise Refusal("wrong_shape", f"{name!r}, raw: {more}{min(len(texts), count)} texts for {count} values")
    return texts
