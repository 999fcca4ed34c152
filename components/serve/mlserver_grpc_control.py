"""gRPC calls of the v2 server other than predictions: health, metadata and the model repository, with short messages and Naru's errors.

MLServer answers them. By itself gRPC would read messages as large as a prediction's, and send the client the class and the text of an
exception that MLServer does not handle: for a model that is not served, and for bytes that are not a message.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from mlserver.errors import MLServerError
from mlserver.grpc import dataplane_pb2 as pb
from mlserver.grpc import model_repository_pb2 as repository_pb
from mlserver.grpc.utils import STATUS_CODE_MAPPING

from components._predictor.refusals import Refusal
from components.serve.limits import KIB, Limits
from components.serve.oip_bounds import Bounds

SERVICE = "inference.GRPCInferenceService"
_REPOSITORY = "inference.model_repository.ModelRepositoryService"
_MESSAGE_BYTES = 64 * KIB
"""Largest message: a few words about a model."""
_NAMES = ("name", "version", "model_name", "repository_name")
_CALLS = {
    "ServerLive": pb.ServerLiveRequest,
    "ServerReady": pb.ServerReadyRequest,
    "ServerMetadata": pb.ServerMetadataRequest,
    "ModelReady": pb.ModelReadyRequest,
    "ModelMetadata": pb.ModelMetadataRequest,
    "RepositoryIndex": pb.RepositoryIndexRequest,
    "RepositoryModelLoad": pb.RepositoryModelLoadRequest,
    "RepositoryModelUnload": pb.RepositoryModelUnloadRequest,
}
_REPOSITORY_CALLS = {
    "RepositoryIndex": repository_pb.RepositoryIndexRequest,
    "RepositoryModelLoad": repository_pb.RepositoryModelLoadRequest,
    "RepositoryModelUnload": repository_pb.RepositoryModelUnloadRequest,
}
STATUS_CODE_MAPPING[403] = grpc.StatusCode.PERMISSION_DENIED  # MLServer's mapping has no code for it
_log = logging.getLogger("naru.serve")


def control_handlers(inference: Any, repository: Any, limits: Limits) -> list[grpc.GenericRpcHandler]:
    """Return the handlers to add to a gRPC server.

    Args:
        inference: MLServer's servicer of health, metadata and repository.
        repository: MLServer's servicer of the older repository service.
        limits: Limits of one request.
    """
    bounds = Bounds(limits, 1)
    services = ((SERVICE, inference, _CALLS), (_REPOSITORY, repository, _REPOSITORY_CALLS))
    return [
        grpc.method_handlers_generic_handler(
            service, {name: _handler(getattr(servicer, name), kind, bounds) for name, kind in calls.items()}
        )
        for service, servicer, calls in services
    ]


def _handler(call: Callable[[Any, Any], Awaitable[Any]], kind: Any, bounds: Bounds) -> Any:
    async def answer(content: bytes, context: Any) -> Any:
        try:
            return (await call(_parse(content, kind, bounds), context)).SerializeToString()
        except Refusal as refusal:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(refusal))
        except MLServerError as error:  # that no handler of MLServer's has turned into a status
            await context.abort(STATUS_CODE_MAPPING.get(error.status_code, grpc.StatusCode.UNKNOWN), str(error))
        except grpc.aio.AbortError:
            raise
        except Exception as error:  # noqa: BLE001 - otherwise gRPC would send the exception's class and text
            _log.error("internal error on a request", exc_info=error)
            await context.abort(grpc.StatusCode.INTERNAL, "internal error; the server's log has the details")

    return grpc.unary_unary_rpc_method_handler(answer)  # without a deserializer: the raw bytes


def _parse(content: bytes, kind: Any, bounds: Bounds) -> Any:
    if len(content) > _MESSAGE_BYTES:
        text = f"the message has {len(content)} bytes; at most {_MESSAGE_BYTES} are allowed for this call"
        raise Refusal("too_large", text)
    try:
        message = kind.FromString(content)
    except (DecodeError, RecursionError):
        raise Refusal("wrong_shape", f"the message is not a {kind.DESCRIPTOR.name}") from None
    bounds.check_names(getattr(message, name, "") for name in _NAMES)
    return message
