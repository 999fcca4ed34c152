"""The short way over HTTP: a plain inference request is answered before it reaches MLServer's own layers.

Those parse every request into objects of a schema and build the answer from such objects again, which takes more time than
the model does. Whatever is not plain (parameters, chosen outputs, gzip, a wrong type, no JSON at all) and every other path
takes MLServer's way. Both ways meet at `NaruRuntime.answer`: one desk, one predictor, one request log.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import orjson

from components.serve.plain import Tensor, read_plain, write_answer
from components.serve.refusals import Refusal

if TYPE_CHECKING:
    from components.serve.mlserver_runtime import NaruRuntime

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Front:
    """Stands before MLServer's application (ASGI) and answers what it can itself.

    Args:
        name: The model's name.
        version: The model's version; empty: none.
    """

    def __init__(self, name: str, version: str) -> None:
        base = f"/v2/models/{name}"
        self._paths = {f"{base}/infer", f"{base}/versions/{version}/infer"}
        self._name, self._version = name, version
        self._runtime: NaruRuntime | None = None
        self._app: Any = None

    def stand_before(self, server: Any) -> None:
        """Take the place of an MLServer's application; before it starts."""
        self._app = server._rest_server._app
        server._rest_server._app = self

    def open(self, runtime: NaruRuntime) -> None:
        """Answer from now on: the model is loaded."""
        self._runtime = runtime

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or hand over to MLServer."""
        if self._runtime is None or not self._is_ours(scope):
            await self._app(scope, receive, send)
            return
        body = await _read(receive)
        if body is None:
            return
        try:
            # at the limit nothing is parsed: refusing must cost next to nothing, or it slows those that are answered
            self._runtime.desk.look()
            asked = read_plain(body)
            if asked is None:
                await self._app(scope, _replay(body, receive), send)
                return
            content = await self._answer(self._runtime, *asked)
        except Refusal as refusal:
            await _send(send, refusal.status, orjson.dumps({"error": str(refusal)}))
        else:
            await _send(send, 200, content)

    async def _answer(self, runtime: NaruRuntime, request_id: str, tensors: list[Tensor]) -> bytes:
        request_id = request_id or str(uuid.uuid4())
        outputs = await runtime.answer(request_id, tensors)
        return write_answer(self._name, self._version, request_id, outputs)

    def _is_ours(self, scope: Scope) -> bool:
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] not in self._paths:
            return False
        headers = dict(scope["headers"])
        return headers.get(b"content-type", b"").startswith(b"application/json") and b"content-encoding" not in headers


async def _read(receive: Receive) -> bytes | None:
    """The whole body; None when the client hung up."""
    parts = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    """A body that was read, for who reads it again; what comes after it is the client's hanging up."""
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> dict[str, Any]:
        return waiting.pop() if waiting else await receive()

    return replayed


async def _send(send: Send, status: int, content: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
