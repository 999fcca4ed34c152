"""Closes what MLServer offers to any client and a served model must not.

An invalid body is answered with the path and what was expected, and no more: MLServer's own answer names the library that read
the body and repeats it, which fails for some bodies. Streams are off, as a refusal breaks off in their middle; so are the
documentation pages, which load scripts from other hosts. No request can unload the model. And no header of an answer is made
from the client's text (`Ce-Id`), as not every text is a valid header.
"""

from __future__ import annotations

from typing import Any

from fastapi.exceptions import RequestValidationError
from mlserver.errors import MLServerError
from mlserver.middleware import InferenceMiddlewares
from starlette.requests import Request
from starlette.responses import JSONResponse

_FORBIDDEN = 403
_SHOWN = 10
"""Violations in an answer: a client chooses how many there are."""


def harden(server: Any) -> None:
    """Harden an MLServer that has not started yet."""
    app = server._rest_server._app
    app.router.routes[:] = [route for route in app.router.routes if not _is_closed(route.path)]
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    server._model_repository_handlers.unload = _refuse_unload
    server._data_plane._inference_middleware = InferenceMiddlewares()


def _is_closed(path: str) -> bool:
    return path.endswith(("_stream", "/docs", "/docs/dataplane.json", "/openapi.json"))


async def _answer_invalid(_: Request, error: RequestValidationError) -> JSONResponse:
    violations = [{name: each[name] for name in ("type", "loc", "msg")} for each in error.errors()[:_SHOWN]]
    return JSONResponse({"detail": violations}, 422)


async def _refuse_unload(name: str) -> bool:
    raise MLServerError("the model cannot be unloaded by a request; stop the server instead", _FORBIDDEN)
