"""One small client for each way to ask a server: Open Inference Protocol and Seldon's, over REST and gRPC."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import grpc

from tests.components.serve.conformance.seldon_messages import Feedback, SeldonMessage

Rows = dict[str, list[Any]]

ROW: Rows = {"delay": [30.0], "month": [6], "carrier": ["AA"], "noise": [0.5]}
TIMEOUT = 120
STATUS = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.INTERNAL: 500,
    grpc.StatusCode.UNAVAILABLE: 503,
}


@dataclass(frozen=True)
class Answer:
    """What every protocol's answer holds."""

    id: str
    name: str
    version: str
    outputs: dict[str, list[Any]]


class Refused(Exception):
    """What every protocol's refusal holds."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status} {message}")
        self.status, self.message = status, message


class Wire(Protocol):
    """A way to ask: values by feature in, outputs by name out, whatever lies between."""

    def ask(self, rows: Rows, id: str = "") -> Answer: ...


@dataclass(frozen=True)
class Reply:
    """Of HTTP."""

    status: int
    content: Any
    headers: dict[str, str]


def request(url: str, content: Any = None) -> Reply:
    data = None if content is None else content if isinstance(content, bytes) else json.dumps(content).encode()
    message = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(message, timeout=TIMEOUT) as response:
            status, headers, body = response.status, dict(response.headers), response.read()
    except urllib.error.HTTPError as error:
        status, headers, body = error.code, dict(error.headers), error.read()
    is_json = headers.get("Content-Type", headers.get("content-type", "")).startswith("application/json")
    return Reply(status, json.loads(body) if body and is_json else body.decode(), headers)


class Rest(ABC):
    """What both have over HTTP: where to ask, and the bodies of a question and of its answer."""

    path = ready = feedback = ""

    def __init__(self, address: str) -> None:
        self.address = address

    @abstractmethod
    def body(self, rows: Rows, id: str = "") -> Any: ...

    @abstractmethod
    def labels_of(self, id: str, labels: list[Any]) -> Any:
        """The body that posts a label for each row."""

    @abstractmethod
    def read_taken(self, content: Any) -> int:
        """The number of labels that were taken."""

    @abstractmethod
    def read(self, content: Any) -> Answer: ...

    @abstractmethod
    def read_error(self, content: Any) -> str: ...

    def ask(self, rows: Rows, id: str = "") -> Answer:
        return self.take(self.send(self.body(rows, id)))

    def post_labels(self, content: Any) -> int:
        reply = request(self.address + self.feedback, content)
        if reply.status != 200:
            raise Refused(reply.status, self.read_error(reply.content))
        return self.read_taken(reply.content)

    def send(self, content: Any) -> Reply:
        return request(self.address + self.path, content)

    def take(self, reply: Reply) -> Answer:
        if reply.status != 200:
            raise Refused(reply.status, self.read_error(reply.content))
        return self.read(reply.content)

    def is_ready(self) -> bool:
        try:
            return request(self.address + self.ready).status == 200
        except OSError:
            return False

    def written(self, rows: Rows, id: str = "") -> bytes:
        """A question as it goes through a socket."""
        body = json.dumps(self.body(rows, id)).encode()
        head = f"POST {self.path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        return head.encode() + body


class V2Rest(Rest):
    path, ready, feedback = "/v2/models/tiny/infer", "/v2/models/tiny/ready", "/v2/models/tiny/feedback"

    def labels_of(self, id: str, labels: list[Any]) -> Any:
        return {"labels": [{"id": id, "row": row, "label": label} for row, label in enumerate(labels)]}

    def read_taken(self, content: Any) -> int:
        assert content["model_name"] == "tiny"
        return int(content["labels"])

    def body(self, rows: Rows, id: str = "") -> Any:
        datatype = {"month": "INT64", "carrier": "BYTES"}
        inputs = [
            {"name": name, "datatype": datatype.get(name, "FP32"), "shape": [len(data)], "data": _without_nan(data)}
            for name, data in rows.items()
        ]
        return {"inputs": inputs, **({"id": id} if id else {})}

    def read(self, content: Any) -> Answer:
        outputs = {item["name"]: _shaped(item["data"], item["shape"]) for item in content["outputs"]}
        return Answer(content["id"], content["model_name"], content["model_version"], outputs)

    def read_error(self, content: Any) -> str:
        return str(content["error"]) if "error" in content else str(content["detail"])


class SeldonRest(Rest):
    path, ready, feedback = "/api/v1.0/predictions", "/health/status", "/api/v1.0/feedback"

    def labels_of(self, id: str, labels: list[Any]) -> Any:
        return {
            "response": {"meta": {"puid": id}},
            "reward": 1.0,
            "truth": {"data": {"ndarray": [[each] for each in labels]}},
        }

    def read_taken(self, content: Any) -> int:
        assert content["meta"]["tags"]["model_name"] == "tiny"
        return int(content["jsonData"]["labels"])

    def body(self, rows: Rows, id: str = "") -> Any:
        return {"jsonData": rows, **({"meta": {"puid": id}} if id else {})}

    def read(self, content: Any) -> Answer:
        meta = content["meta"]
        return Answer(meta["puid"], meta["tags"]["model_name"], meta["tags"]["model_version"], content["jsonData"])

    def read_error(self, content: Any) -> str:
        assert content["status"]["status"] == "FAILURE"
        return str(content["status"]["info"])


class Grpc:
    """What both have over gRPC."""

    def __init__(self, address: str) -> None:
        self.channel = grpc.insecure_channel(address)

    def call(self, method: Any, message: Any) -> Any:
        try:
            return method(message, timeout=TIMEOUT)
        except grpc.RpcError as error:
            raise Refused(STATUS[error.code()], error.details()) from None


class V2Grpc(Grpc):
    def ask(self, rows: Rows, id: str = "") -> Answer:
        from mlserver.grpc import dataplane_pb2 as pb
        from mlserver.grpc.dataplane_pb2_grpc import GRPCInferenceServiceStub

        inputs = [self._tensor(name, data) for name, data in rows.items()]
        message = pb.ModelInferRequest(model_name="tiny", id=id, inputs=inputs)
        answer = self.call(GRPCInferenceServiceStub(self.channel).ModelInfer, message)
        outputs = {item.name: self._values(item) for item in answer.outputs}
        return Answer(answer.id, answer.model_name, answer.model_version, outputs)

    def _tensor(self, name: str, data: list[Any]) -> dict[str, Any]:
        """There is no null: NaN stands for it, and the empty text."""
        tensor = {"name": name, "shape": [len(data)]}
        if any(isinstance(value, str) for value in data) or name == "carrier":
            return {**tensor, "datatype": "BYTES", "contents": {"bytes_contents": [(v or "").encode() for v in data]}}
        if all(type(value) is int for value in data):
            return {**tensor, "datatype": "INT64", "contents": {"int64_contents": data}}
        numbers = [float("nan") if value is None else value for value in data]
        return {**tensor, "datatype": "FP64", "contents": {"fp64_contents": numbers}}

    def _values(self, item: Any) -> list[Any]:
        texts = [text.decode() for text in item.contents.bytes_contents]
        return _shaped(texts or list(item.contents.fp32_contents), list(item.shape))


class SeldonGrpc(Grpc):
    @cached_property
    def predict(self) -> Any:
        return self.channel.unary_unary(
            "/seldon.protos.Seldon/Predict", SeldonMessage.SerializeToString, SeldonMessage.FromString
        )

    def ask(self, rows: Rows, id: str = "") -> Answer:
        message = SeldonMessage(meta={"puid": id})
        message.jsonData.struct_value.SetInParent()  # also when there is no feature
        message.jsonData.struct_value.update(rows)
        return self.read(self.call(self.predict, message))

    def post_labels(self, message: Any, service: str = "Seldon") -> int:
        """Post a `Feedback` message; returns how many labels were taken."""
        method = self.channel.unary_unary(
            f"/seldon.protos.{service}/SendFeedback", Feedback.SerializeToString, SeldonMessage.FromString
        )
        return int(self.call(method, message).jsonData.struct_value["labels"])

    def read(self, answer: Any) -> Answer:
        tags = {tag.key: tag.value.string_value for tag in answer.meta.tags}
        outputs = {name: _plain(value) for name, value in answer.jsonData.struct_value.fields.items()}
        return Answer(answer.meta.puid, tags["model_name"], tags["model_version"], outputs)


def _plain(value: Any) -> Any:
    kind = value.WhichOneof("kind")
    return [_plain(item) for item in value.list_value.values] if kind == "list_value" else getattr(value, kind)


def _without_nan(data: list[Any]) -> list[Any]:
    """Strict JSON has no NaN: null stands for it."""
    return [None if value != value else value for value in data]


def _shaped(data: list[Any], shape: list[int]) -> list[Any]:
    """Rows of columns, which the Open Inference Protocol has in a line."""
    if len(shape) == 1:
        return data
    return [data[row * shape[1] : (row + 1) * shape[1]] for row in range(shape[0])]
