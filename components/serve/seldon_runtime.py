"""The adapter for seldon-core: Seldon's own protocol over REST and gRPC to the predictor core and back.

A request holds its rows in one of three forms; each feature by its name:

    {"jsonData": {"month": [1, 2], "carrier": ["UA", "AA"]}}         or one row: {"jsonData": {"month": 1, "carrier": "UA"}}
    {"jsonData": [{"month": 1, "carrier": "UA"}, {"month": 2, "carrier": "AA"}]}
    {"data": {"names": ["month", "carrier"], "ndarray": [[1, "UA"], [2, "AA"]]}}

and is read as it was sent: seldon-core itself would make texts of a row of mixed types.
"""

from __future__ import annotations

import threading
import time
import uuid
from http import HTTPStatus
from typing import Any

import grpc
import numpy as np
from google.protobuf import struct_pb2
from seldon_core.flask_utils import SeldonMicroserviceException
from seldon_core.proto import prediction_pb2
from seldon_core.user_model import SeldonComponent
from seldon_core.wrapper import SeldonModelGRPC

from components._core.features import Feature, Signature
from components._core.inference import DATATYPE
from components.serve.desk import Desk
from components.serve.predictor import Predictor
from components.serve.refusals import Code, Refusal
from components.serve.request_log import Answered

Columns = dict[str, list[Any]]

_NOT_READY = "the server is not ready"
_FAILURE = "FAILURE"  # of the protocol's Status.StatusFlag
_ONE_BY_ONE = 256
"""Requests up to this many rows wait for their turn: their threads would only keep one another from running."""
_GRPC_STATUS = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    413: grpc.StatusCode.INVALID_ARGUMENT,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    500: grpc.StatusCode.INTERNAL,
}


class NaruComponent(SeldonComponent):
    """A model as seldon-core knows one; safe to use from several threads.

    Args:
        name: The model's name, for the answers.
        version: The model's version, for the answers.
        signature: What it takes and gives.
        desk: What every request passes.

    Attributes:
        predictor: Answers the rows; None until it is loaded.
        ending: Whether the server has been told to end: it answers, and says that it is not ready.
    """

    def __init__(self, name: str, version: str, signature: Signature, desk: Desk) -> None:
        super().__init__()
        self.predictor: Predictor | None = None
        self.ending = False
        self._signature = signature
        self._desk = desk
        self._turn = threading.Lock()
        self._name, self._version = name, version
        self._tags = {"model_name": name, "model_version": version}

    def predict_raw(self, msg: Any) -> dict[str, Any]:
        """Answer a request over REST, or say with a status and a reason why not."""
        puid = _puid_of(msg)
        try:
            outputs = self.answer(msg, puid)
        except Refusal as refusal:
            return told(refusal.status, refusal.code, str(refusal), puid)
        return {
            "jsonData": {name: values.tolist() for name, values in outputs.items()},
            "meta": {"puid": puid, "tags": self._tags},
        }

    def predict_message(self, message: Any) -> Any:
        """Answer a request over gRPC.

        Raises:
            Refusal: With a status and a message that may go to the client.
        """
        puid = message.meta.puid or _new_id()
        outputs = self.answer(_Message(message), puid)
        answer = prediction_pb2.SeldonMessage()
        answer.meta.puid = puid
        for name, text in self._tags.items():
            answer.meta.tags[name].string_value = text
        answer.jsonData.struct_value.update({name: values.tolist() for name, values in outputs.items()})
        return answer

    def answer(self, message: Any, puid: str) -> dict[str, np.ndarray[Any, Any]]:
        """Outputs by name.

        Raises:
            Refusal: When the request is not answered.
            SeldonMicroserviceException: While the model is being loaded.
        """
        if self.predictor is None:
            raise not_ready()
        started = time.perf_counter()
        with self._desk.admit():
            columns = self._columns_of(message)
            outputs = self._predict(self.predictor, columns)
            rows, seconds = len(next(iter(outputs.values()))), time.perf_counter() - started
            self._desk.note(Answered(puid, time.time(), seconds, rows, columns, outputs))
        return outputs

    def _columns_of(self, message: Any) -> Columns:
        if isinstance(message, _Message):
            return _whole_numbers(columns_of(message.plain()), self._signature.inputs)
        return columns_of(message)

    def _predict(self, predictor: Predictor, columns: Columns) -> dict[str, np.ndarray[Any, Any]]:
        if max(map(len, columns.values()), default=0) > _ONE_BY_ONE:
            return predictor.predict(columns)
        with self._turn:
            return predictor.predict(columns)

    def health_status_raw(self) -> dict[str, Any]:
        """Whether clients may be sent here."""
        if self.predictor is None or self.ending:
            raise not_ready()
        return {"jsonData": {"ready": True}, "meta": {"tags": self._tags}}

    def init_metadata(self) -> dict[str, Any]:
        """Inputs and outputs as the protocol's metadata has them; the rest of the signature as texts."""
        nullable = [feature.name for feature in self._signature.inputs if feature.nullable]
        classes = self._signature.classes
        return {
            "name": self._name,
            "versions": [self._version],
            "platform": "naru",
            "inputs": [_tensor(feature.name, DATATYPE[feature.dtype], [-1]) for feature in self._signature.inputs],
            "outputs": [
                _tensor(name, DATATYPE[dtype], [-1, len(classes)] if name == "probabilities" else [-1])
                for name, dtype in self._signature.outputs.items()
            ],
            "custom": {"nullable": ",".join(nullable), "classes": ",".join(classes)},
        }


class NaruServicer(SeldonModelGRPC):
    """The same component over gRPC: a refusal is a status of gRPC's, not an answer that looks well."""

    def Predict(self, request_grpc: Any, context: Any) -> Any:
        """Answer a request, or end it with a status and a reason."""
        try:
            return self.user_model.predict_message(request_grpc)
        except Refusal as refusal:
            context.abort(_GRPC_STATUS[refusal.status], str(refusal))
        except SeldonMicroserviceException:
            context.abort(grpc.StatusCode.UNAVAILABLE, _NOT_READY)


class NoMetrics:
    """Takes the place of seldon-core's metrics, which pass every request through another process; ours are in `metrics.py`."""

    def update(self, *_: object) -> None:
        """Nothing."""

    def update_reward(self, *_: object) -> None:
        """Nothing."""


def told(status: int, reason: Code | str, info: str, puid: str = "") -> dict[str, Any]:
    """Why there is no answer, as the protocol has it; seldon-core makes its `code` the status of HTTP."""
    said: dict[str, Any] = {"status": {"code": status, "reason": reason, "info": info, "status": _FAILURE}}
    return {**said, "meta": {"puid": puid}} if puid else said


def not_ready() -> SeldonMicroserviceException:
    """What seldon-core answers with 503."""
    return SeldonMicroserviceException(_NOT_READY, status_code=HTTPStatus.SERVICE_UNAVAILABLE, reason="not_ready")


def columns_of(message: Any) -> Columns:
    """Values by feature name, one per row, of a request's JSON.

    Raises:
        Refusal: When it holds rows in none of the three forms.
    """
    if isinstance(message, dict) and "jsonData" in message:
        return _from_json(message["jsonData"])
    data = message.get("data") if isinstance(message, dict) else None
    if isinstance(data, dict) and "ndarray" in data:
        return _from_table(data.get("names"), data["ndarray"])
    raise Refusal("wrong_shape", "the request holds neither jsonData nor data with names and ndarray")


def _from_json(given: Any) -> Columns:
    if isinstance(given, dict):
        return {name: value if type(value) is list else [value] for name, value in given.items()}
    if isinstance(given, list) and all(isinstance(row, dict) for row in given):
        names = dict.fromkeys(name for row in given for name in row)
        return {name: [row.get(name) for row in given] for name in names}
    raise Refusal("wrong_shape", "jsonData must hold a value or a list by feature, or a list with one mapping per row")


def _from_table(names: Any, rows: Any) -> Columns:
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise Refusal("wrong_shape", "data.names must name the feature of each column of data.ndarray")
    for name in names:
        if names.count(name) > 1:
            raise Refusal("wrong_shape", f"{name!r} is given twice")
    if not isinstance(rows, list):
        raise Refusal("wrong_shape", "data.ndarray must be a list of rows")
    for number, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != len(names):
            raise Refusal("wrong_shape", f"data.ndarray, row {number}: must be a list of {len(names)} values, as names")
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


class _Message:
    """A request of gRPC, to be read once it has a place."""

    def __init__(self, message: Any) -> None:
        self._message = message

    def plain(self) -> dict[str, Any]:
        """Its rows as REST has them."""
        kind = self._message.WhichOneof("data_oneof")
        if kind == "jsonData":
            return {"jsonData": _plain(self._message.jsonData)}
        if kind == "data" and self._message.data.WhichOneof("data_oneof") == "ndarray":
            data = self._message.data
            return {"data": {"names": list(data.names), "ndarray": [_plain(row) for row in data.ndarray.values]}}
        return {}


def _plain(value: struct_pb2.Value) -> Any:
    match value.WhichOneof("kind"):
        case "number_value":
            return value.number_value
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case "list_value":
            return [_plain(item) for item in value.list_value.values]
        case "struct_value":
            return {name: _plain(item) for name, item in value.struct_value.fields.items()}
        case _:
            return None


def _whole_numbers(columns: Columns, features: tuple[Feature, ...]) -> Columns:
    """Over gRPC every number is a float: those of whole features are made whole again, where they are."""
    whole = {feature.name for feature in features if feature.dtype == "int64"}
    return {
        name: [int(value) if type(value) is float and value.is_integer() else value for value in values]
        if name in whole
        else values
        for name, values in columns.items()
    }


def _puid_of(message: Any) -> str:
    meta = message.get("meta") if isinstance(message, dict) else None
    puid = meta.get("puid") if isinstance(meta, dict) else None
    return puid if isinstance(puid, str) and puid else _new_id()


def _new_id() -> str:
    return str(uuid.uuid4())


def _tensor(name: str, datatype: str, shape: list[int]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape}
