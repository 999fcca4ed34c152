"""The fast path of the v2 server's HTTP requests: checks bounds, unpacks, and answers plain requests in front of MLServer.

MLServer parses every request into schema objects and builds the answer from such objects again, which takes longer than the
model. A request that is not plain (parameters, chosen outputs, a wrong type, invalid JSON) goes on to MLServer after the same
checks. Both paths end in `NaruRuntime.answer`, so they share admission control, predictor and request log.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import orjson

from components._core.types.oip_paths import feedback_path, model_path
from components._predictor.refusals import STATUS, Refusal
from components.serve.label_intake import CLOSED, LabelIntake
from components.serve.limits import KIB, Limits
from components.serve.oip_bounds import Bounds
from components.serve.oip_json import Tensor, check_shape, read_plain, write_answer
from components.serve.oip_keys import check_keys
from components.serve.request_body import BYTE_ORDER_MARK, CODINGS, check_type, codings_of, unpack

if TYPE_CHECKING:
    from components.serve.mlserver_runtime import NaruRuntime

Header = tuple[bytes, bytes]
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

_OTHER_BODY_BYTES = 64 * KIB
"""Largest body of a request to any other path: the longest is a few words about a model."""
_NOT_READY = 400
_NOT_FOUND = 404
_SMALL_BYTES = 64 * KIB
"""Plain bodies with labels up to this size are read on the event loop; larger ones, and packed ones, in a thread."""
_JSON = [(b"content-type", b"application/json")]
_EXTRA_HEADERS = {
    STATUS["too_busy"]: [(b"retry-after", b"1")],
    STATUS["media_type"]: [(b"accept-encoding", CODINGS.encode()), (b"accept", b"application/json")],
}


class FastPath:
    """ASGI application in front of MLServer's, which answers plain requests itself.

    Args:
        name: The model's name.
        version: The model's version; empty: none.
        limits: Limits of one request.
        intake: Takes posted labels; None: they are refused.

    Attributes:
        infer_paths: Paths of inference requests.
    """

    def __init__(
        self, name: str, version: str, limits: Limits | None = None, intake: LabelIntake | None = None
    ) -> None:
        base = model_path(name)
        self._feedback_path, self._intake = feedback_path(name), intake
        prefixes = (base, f"{base}/versions/{version}")
        self._versioned = f"{base}/versions/"
        self.infer_paths = frozenset(f"{prefix}/{verb}" for prefix in prefixes for verb in ("infer", "generate"))
        self._name, self._version = name, version
        self._limits = limits or Limits()
        self._bounds = Bounds(self._limits, 1)
        self._runtime: NaruRuntime | None = None
        self._app: Any = None

    def install(self, server: Any) -> None:
        """Replace the application of an MLServer that has not started yet."""
        self._app = server._rest_server._app
        server._rest_server._app = self

    def open(self, runtime: NaruRuntime, bounds: Bounds) -> None:
        """Start answering: the model is loaded."""
        self._bounds, self._runtime = bounds, runtime

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, or pass it on to MLServer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            if scope["method"] == "POST" and scope["path"] in self.infer_paths:
                await self._infer(scope, receive, send)
            elif scope["method"] == "POST" and scope["path"] == self._feedback_path:
                await self._take_labels(scope, receive, send)
            else:
                await self._serve_other_path(scope, receive, send)
        except Refusal as refusal:
            await _send(send, refusal.status, orjson.dumps({"error": str(refusal)}))

    async def _infer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = scope["headers"]
        check_type(headers)
        codings = codings_of(headers)
        body = await _read(receive, self._limits.body_bytes)
        if body is None:
            return
        if self._runtime is None:
            await _send(send, _NOT_READY, orjson.dumps({"error": f"Model {self._name} is not ready yet."}))
            return
        # nothing is unpacked or parsed before a slot is free: a refusal must be cheap
        async with self._runtime.admission.slot() as slot:
            if codings:
                body = unpack(body, codings, self._limits.body_bytes)
            body = body.removeprefix(BYTE_ORDER_MARK)
            self._bounds.check_size(body)
            plain = read_plain(body, self._bounds)
            if plain is not None:
                self._check_texts(body, plain[1])
                is_open = not scope["path"].startswith(self._versioned)
                content = await self._answer(self._runtime, *plain, is_open=is_open)
            else:
                self._check(body)
                slot.hand_over()
        if plain is not None:
            await _send(send, 200, content)
        else:
            await self._pass_on(scope, body, receive, send)

    async def _take_labels(self, scope: Scope, receive: Receive, send: Send) -> None:
        intake = self._intake
        if intake is None:
            await _send(send, _NOT_FOUND, orjson.dumps({"error": CLOSED}))
            return
        with intake.counted():
            check_type(scope["headers"])
            codings, most = codings_of(scope["headers"]), intake.rules.body_bytes
            body = await _read(receive, most)
            if body is None:
                return
            await intake.admission.enter()
            try:
                if codings or len(body) > _SMALL_BYTES:
                    taken = await asyncio.to_thread(lambda: intake.take_body(unpack(body, codings, most)))
                else:
                    taken = intake.take_body(body)
            finally:
                intake.admission.leave()
        await _send(send, 200, orjson.dumps({"model_name": self._name, "labels": taken}))

    async def _answer(self, runtime: NaruRuntime, request_id: str, tensors: list[Tensor], *, is_open: bool) -> bytes:
        request_id = request_id or str(uuid.uuid4())
        outputs, version = await runtime.answer(request_id, tensors, is_open=is_open)
        return write_answer(self._name, self._version if version is None else version, request_id, outputs)

    def _check_texts(self, body: bytes, tensors: list[Tensor]) -> None:
        if len(body) > self._limits.text_bytes:  # a shorter body cannot hold a text that is too long
            for tensor in tensors:
                self._bounds.check_texts(tensor.name, tensor.data)

    def _check(self, body: bytes) -> None:
        """Check the bounds of a request that goes to MLServer, which builds objects before any check of its own."""
        self._bounds.check_depth(body)
        try:
            record = orjson.loads(body)
        except ValueError:
            return  # MLServer reports where
        if not isinstance(record, dict):
            return
        check_keys(body, record, {"model_name": self._name, "model_version": self._version})
        self._bounds.check_id(record.get("id"))
        for name in ("inputs", "outputs"):
            if isinstance(tensors := record.get(name), list):
                self._bounds.check_count(len(tensors), name)
                self._check_tensors([tensor for tensor in tensors if isinstance(tensor, dict)])
        parameters = record.get("parameters")
        if isinstance(parameters, dict) and "headers" in parameters:  # MLServer would overwrite it
            raise Refusal("bad_parameter", "parameter 'headers' of the request is not supported; allowed: content_type")

    def _check_tensors(self, tensors: list[dict[str, Any]]) -> None:
        self._bounds.check_names(tensor.get("name") for tensor in tensors)
        for tensor in tensors:
            name, shape = tensor.get("name"), tensor.get("shape")
            if isinstance(name, str) and isinstance(shape, list):
                check_shape(name, shape)

    async def _pass_on(self, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
        """Pass the request on to MLServer, with the body unpacked."""
        headers = [header for header in scope["headers"] if header[0] not in (b"content-encoding", b"content-length")]
        headers = [*headers, (b"content-length", b"%d" % len(body))]
        await self._app({**scope, "headers": headers}, _replay(body, receive), send)

    async def _serve_other_path(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "POST" and scope["path"].endswith(("/infer", "/generate")):
            # a model that is not served here: MLServer reports it, whatever the body is
            if await _read(receive, self._limits.body_bytes) is not None:
                await self._pass_on(scope, b'{"inputs":[]}', receive, send)
            return
        if codings_of(scope["headers"]):
            raise Refusal("media_type", "Content-Encoding is allowed for inference requests only")
        if scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        body = await _read(receive, min(_OTHER_BODY_BYTES, self._limits.body_bytes))
        if body is not None:
            await self._app(scope, _replay(body, receive), send)


async def _read(receive: Receive, limit: int) -> bytes | None:
    """Read the whole body; None when the client disconnected."""
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        body: bytes = message.get("body", b"")
        if len(body) > limit:
            raise _too_large(limit)
        return body
    parts, size = [], 0
    while message["type"] == "http.request":
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            raise _too_large(limit)
        if not message.get("more_body"):
            return b"".join(parts)
        message = await receive()
    return None


def _too_large(limit: int) -> Refusal:
    return Refusal("too_large", f"the body is too long; at most {limit} bytes are allowed here")


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that yields a body that was read already, then the client's disconnect."""
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> dict[str, Any]:
        return waiting.pop() if waiting else await receive()

    return replayed


def answer_headers(status: int, content: bytes) -> list[Header]:
    """Return the headers of an answer in JSON.

    Args:
        status: Its HTTP status.
        content: Its body.
    """
    return [*_JSON, (b"content-length", b"%d" % len(content)), *_EXTRA_HEADERS.get(status, ())]


async def _send(send: Send, status: int, content: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": answer_headers(status, content)})
    await send({"type": "http.response.body", "body": content})
