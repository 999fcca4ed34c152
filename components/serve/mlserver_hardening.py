"""What MLServer offers to any client and a served model must not.

A body that is no request is told with its place and what was expected, and no more: MLServer's own words hold the address of
the library that read it, and the body again, at which it fails for some. Streams are gone, as a refusal breaks off in their
middle; so are pages of documentation, which load scripts from elsewhere. Nobody unloads the model by a request. And no header
of an answer is made of what the client sent (`Ce-Id`), which not every text can be.
"""

from __future__ import annotations

from typing import Any

from fastapi.exceptions import RequestValidationError
from mlserver.errors import MLServerError
from mlserver.middleware import InferenceMiddlewares
from starlette.requests import Request
from starlette.responses import JSONResponse

_FORBIDDEN = 403


def guard(server: Any) -> None:
    """Change an MLServer that has not started yet."""
    app = server._rest_server._app
    app.router.routes[:] = [route for route in app.router.routes if not _is_closed(route.path)]
    app.add_exception_handler(RequestValidationError, _tell_invalid)
    server._model_repository_handlers.unload = _refuse_unload
    server._data_plane._inference_middleware = InferenceMiddlewares()


def _is_closed(path: str) -> bool:
    return path.endswith(("_stream", "/docs", "/docs/dataplane.json", "/openapi.json"))


async def _tell_invalid(_: Request, error: RequestValidationError) -> JSONResponse:
    faults = [{name: fault[name] for name in ("type", "loc", "msg")} for fault in error.errors()]
    return JSONResponse({"detail": faults}, 422)


async def _refuse_unload(name: str) -> bool:
    raise MLServerError("the model stays: who started this server ends it", _FORBIDDEN)
