"""The adapter for seldon-core: Seldon's own protocol over REST and gRPC to the predictor core and back.

A request holds its rows in one of three forms; each feature by its name:

    {"jsonData": {"month": [1, 2], "carrier": ["UA", "AA"]}}         or one row: {"jsonData": {"month": 1, "carrier": "UA"}}
    {"jsonData": [{"month": 1, "carrier": "UA"}, {"month": 2, "carrier": "AA"}]}
    {"data": {"names": ["month", "carrier"], "ndarray": [[1, "UA"], [2, "AA"]]}}

and keeps the types that were sent: seldon-core itself would turn a row of mixed types into texts.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from http import HTTPStatus
from typing import Any

import grpc
import numpy as np
from seldon_core.flask_utils import SeldonMicroserviceException
from seldon_core.proto import prediction_pb2
from seldon_core.seldon_methods import init_metadata
from seldon_core.user_model import SeldonComponent
from seldon_core.utils import json_to_seldon_model_metadata

from components._core.types.feature_types import FEATURE_TYPES
from components._core.types.signature import Feature, Signature
from components._core.types.tasks import TASKS
from components._core.types.texts import is_unicode
from components._predictor.predictor import Predictor
from components._predictor.refusals import Code, Refusal
from components.serve.admission import AdmissionControl
from components.serve.label_intake import LabelIntake
from components.serve.limits import Limits
from components.serve.live_test.contract import Answer
from components.serve.oip_bounds import Bounds
from components.serve.request_log import AnsweredRequest
from components.serve.seldon_protobuf import NotAMessage, read_feedback, read_message

Columns = dict[str, list[Any]]

_PACKAGE = "seldon.protos"
_NOT_READY = "the server is not ready"
_FAILURE = "FAILURE"  # a value of the protocol's Status.StatusFlag
_FORMS = ("jsonData", "data", "strData", "binData", "customData")
_DATA_FORMS = ("ndarray", "tensor", "tftensor")
_SHOWN = 60
_ONE_BY_ONE = 256
"""Requests up to this many rows run one after the other: in parallel, their threads would only block one another."""
_ROOM = 1_000
"""Rows beyond the limit up to which a gRPC message is still read, so that the refusal can state its number of rows."""
_GRPC_STATUS = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    413: grpc.StatusCode.INVALID_ARGUMENT,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    500: grpc.StatusCode.INTERNAL,
}

_log = logging.getLogger("naru.serve")


class NaruComponent(SeldonComponent):
    """A model as a seldon-core component; safe to use from several threads.

    Args:
        name: The model's name, for the answers.
        version: The model's version, for the answers.
        signature: Inputs and outputs of the model.
        admission: Admission control of all requests.
        limits: Limits of one request.
        threshold: Probability from which a row counts as positive, where the model has its own; for metadata.

    Attributes:
        features: The features that the model takes.
        predictor: The predictor; None until the model is loaded.
        ending: Whether the server is shutting down: it answers, and reports that it is not ready.
    """

    def __init__(
        self,
        name: str,
        version: str,
        signature: Signature,
        admission: AdmissionControl,
        limits: Limits,
        threshold: float | None = None,
    ) -> None:
        super().__init__()
        self.features = signature.inputs
        self._known = frozenset(feature.name for feature in signature.accepted)
        self._unused = frozenset(feature.name for feature in signature.unused)
        self._texts = [feature.name for feature in signature.inputs if feature.type.is_text]
        self._limits, self._bounds = limits, Bounds(limits, len(signature.accepted), signature.picture_names)
        self._most_values = (limits.rows + _ROOM) * (2 * len(signature.accepted) + 4)
        self._most_labels = 4 * (limits.rows + _ROOM)
        self.predictor: Predictor | None = None
        self.ending = False
        self._signature = signature
        self._admission = admission
        self._turn = threading.Lock()
        self._name, self._version = name, version
        self._threshold = threshold
        self._tags = {"model_name": name, "model_version": version}

    def check_capacity(self) -> None:
        """Refuse a request at the concurrency limit, before any work on it.

        Raises:
            Refusal: `too_busy`.
        """
        self._admission.check_capacity()

    def predict_raw(self, msg: Any) -> dict[str, Any]:
        """Answer a request over REST, or return a failure with a status and a reason."""
        try:
            puid = _puid_of(msg)
            self._bounds.check_id(puid)
        except Refusal as refusal:
            return failure_response(refusal.status, refusal.code, str(refusal))
        try:
            outputs, version = self.answer(msg, puid)
        except Refusal as refusal:
            return failure_response(refusal.status, refusal.code, str(refusal), puid)
        return {
            "jsonData": {name: values.tolist() for name, values in outputs.items()},
            "meta": {"puid": puid, "tags": self._tags_of(version)},
        }

    def answer_feedback(self, puid: str, labels: int) -> dict[str, Any]:
        """Return the answer to labels that were taken."""
        return {"jsonData": {"labels": labels}, "meta": {"puid": puid, "tags": self._tags}}

    def predict_message(self, content: bytes) -> Any:
        """Answer a request over gRPC.

        Args:
            content: The bytes of the request.

        Raises:
            Refusal: With a status and a message that may go to the client.
            NotAMessage: When the bytes are not a request.
            SeldonMicroserviceException: While the model is being loaded.
        """
        self.check_capacity()
        message = read_message(content, self._most_values, self._limits.json_depth)
        puid = _puid_of(message)
        self._bounds.check_id(puid)
        outputs, version = self.answer(message, puid, over_grpc=True)
        return self._to_message(puid, {name: values.tolist() for name, values in outputs.items()}, version)

    def take_labels_message(self, content: bytes, intake: LabelIntake) -> Any:
        """Take the labels of a `Feedback` message over gRPC; returns the answer.

        Args:
            content: The bytes of the message.
            intake: Takes the labels.

        Raises:
            Refusal: With a status and a message that may go to the client; no label is taken then.
        """
        with intake.counted(), intake.admission.hold():
            if len(content) > intake.rules.body_bytes:
                raise Refusal(
                    "too_large", f"the message is too long; at most {intake.rules.body_bytes} bytes are allowed"
                )
            try:
                message = read_feedback(content, self._most_labels, self._limits.json_depth)
            except NotAMessage as error:
                raise Refusal("wrong_shape", str(error)) from None
            puid, taken = intake.take_truth(message)
        return self._to_message(puid, {"labels": taken})

    def _tags_of(self, version: str | None) -> dict[str, str]:
        return self._tags if version is None else {**self._tags, "model_version": version}

    def _to_message(self, puid: str, values: dict[str, Any], version: str | None = None) -> Any:
        answer = prediction_pb2.SeldonMessage()
        answer.meta.puid = puid
        for name, text in self._tags_of(version).items():
            answer.meta.tags[name].string_value = text
        answer.jsonData.struct_value.update(values)
        return answer

    def answer(self, message: Any, puid: str, over_grpc: bool = False) -> Answer:
        """Predict the outputs of a request, by name.

        Args:
            message: The request in the form of its JSON.
            puid: The request's id.
            over_grpc: Whether it came over gRPC, where every number is a float.

        Raises:
            Refusal: When the request is not answered.
            SeldonMicroserviceException: While the model is being loaded.
        """
        if self.predictor is None:
            raise not_ready()
        started = time.perf_counter()
        with self._admission.admit():
            given = columns_of(message, self._known)
            columns: Columns = {name: values for name, values in given.items() if name not in self._unused}
            for name in self._texts:
                self._bounds.check_texts(name, columns.get(name))
            if over_grpc:
                columns = _whole_numbers(columns, self.features)
            prepared = self.predictor.prepare(columns)
            live_test = self._admission.live_test
            if live_test is not None and live_test.routes(puid, prepared) and (other := live_test.ask(puid, prepared)):
                rows, seconds = len(next(iter(other.outputs.values()))), time.perf_counter() - started
                self._admission.metrics.count_answer(rows, seconds)
                return other
            outputs = self._predict(self.predictor, prepared, puid)
            rows, seconds = len(next(iter(outputs.values()))), time.perf_counter() - started
            self._admission.record_answer(AnsweredRequest(puid, time.time(), seconds, rows, prepared, outputs))
        return Answer(outputs)

    def _predict(self, predictor: Predictor, columns: Mapping[str, Any], puid: str) -> dict[str, np.ndarray[Any, Any]]:
        if max(map(len, columns.values()), default=0) > _ONE_BY_ONE:
            return predictor.predict(columns, puid)
        with self._turn:
            return predictor.predict(columns, puid)

    def health_status_raw(self) -> dict[str, Any]:
        """Report whether the server is ready.

        Raises:
            SeldonMicroserviceException: While the model is being loaded, and from the shutdown on.
        """
        if self.predictor is None or self.ending:
            raise not_ready()
        return {"jsonData": {"ready": True}, "meta": {"tags": self._tags}}

    def init_metadata(self) -> dict[str, Any]:
        """Return inputs and outputs as the protocol's metadata; the rest of the signature as texts."""
        nullable = [feature.name for feature in self._signature.inputs if feature.nullable]
        classes = self._signature.classes
        threshold = {} if self._threshold is None else {"threshold": repr(self._threshold)}
        return {
            "name": self._name,
            "versions": [self._version],
            "platform": "naru",
            "inputs": [_tensor(feature.name, feature.type.oip, [-1]) for feature in self._signature.inputs],
            "outputs": [
                _tensor(name, FEATURE_TYPES[dtype].oip, TASKS[self._signature.task].output_shape(name, classes))
                for name, dtype in self._signature.outputs.items()
            ],
            "custom": {"nullable": ",".join(nullable), "classes": ",".join(classes), **threshold},
        }


class NaruServicer:
    """The component over gRPC, where a refusal is a gRPC status instead of a successful answer.

    Of seldon-core's services `Seldon` and `Model` it has only predictions and metadata, and `SendFeedback` where labels are taken.

    Args:
        component: The component that answers requests.
        limits: Limits of one message.
        intake: Takes posted labels; None: there is no `SendFeedback`.
    """

    def __init__(self, component: NaruComponent, limits: Limits, intake: LabelIntake | None = None) -> None:
        self._component, self._limits, self._intake = component, limits, intake
        self._metadata = json_to_seldon_model_metadata(init_metadata(component))

    def handlers(self) -> list[grpc.GenericRpcHandler]:
        """Return the handlers to add to a gRPC server."""
        predict = grpc.unary_unary_rpc_method_handler(
            self._predict, response_serializer=prediction_pb2.SeldonMessage.SerializeToString
        )
        metadata = grpc.unary_unary_rpc_method_handler(
            lambda *_: self._metadata, response_serializer=prediction_pb2.SeldonModelMetadata.SerializeToString
        )
        feedback = grpc.unary_unary_rpc_method_handler(
            self._take_labels, response_serializer=prediction_pb2.SeldonMessage.SerializeToString
        )
        shared = {"Predict": predict, **({"SendFeedback": feedback} if self._intake else {})}
        return [
            grpc.method_handlers_generic_handler(f"{_PACKAGE}.Seldon", {**shared, "ModelMetadata": metadata}),
            grpc.method_handlers_generic_handler(f"{_PACKAGE}.Model", {**shared, "Metadata": metadata}),
        ]

    def _predict(self, content: bytes, context: Any) -> Any:
        return self._answer(lambda: self._predict_message(content), context)

    def _take_labels(self, content: bytes, context: Any) -> Any:
        intake = self._intake
        return self._answer(lambda: intake and self._component.take_labels_message(content, intake), context)

    def _predict_message(self, content: bytes) -> Any:
        if len(content) > self._limits.body_bytes:
            raise NotAMessage(
                f"the message is larger than {self._limits.body_bytes:,} bytes; send fewer rows in one request"
            )
        return self._component.predict_message(content)

    def _answer(self, answer: Callable[[], Any], context: Any) -> Any:
        try:
            return answer()
        except NotAMessage as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except Refusal as refusal:
            context.abort(_GRPC_STATUS.get(refusal.status, grpc.StatusCode.INVALID_ARGUMENT), str(refusal))
        except SeldonMicroserviceException:
            context.abort(grpc.StatusCode.UNAVAILABLE, _NOT_READY)
        except Exception as error:  # noqa: BLE001 - otherwise gRPC would send the exception's text
            _log.error("internal error on a request", exc_info=error)
            context.abort(grpc.StatusCode.INTERNAL, "unexpected: internal error; the server's log has the details")


def failure_response(status: int, reason: Code | str, info: str, puid: str = "") -> dict[str, Any]:
    """Make the protocol's message for a failed request; seldon-core uses its `code` as the HTTP status."""
    response: dict[str, Any] = {"status": {"code": status, "reason": reason, "info": info, "status": _FAILURE}}
    return {**response, "meta": {"puid": puid}} if puid else response


def not_ready() -> SeldonMicroserviceException:
    """Make the error that seldon-core answers with 503."""
    return SeldonMicroserviceException(_NOT_READY, status_code=HTTPStatus.SERVICE_UNAVAILABLE, reason="not_ready")


def columns_of(message: Any, known: Collection[str]) -> Columns:
    """Read values by feature name, one per row, from a request's JSON.

    Args:
        message: The request.
        known: Names of the model's features. Other names are passed on without values, to be refused by name: each row may
            have a name of its own, and a column for each of them would take rows times rows.

    Raises:
        Refusal: When its rows have none of the three forms.
    """
    _check_one(message, _FORMS, "the request")
    if isinstance(message, dict) and "jsonData" in message and message.get("data") is None:
        return _from_json(message["jsonData"], known)
    data = message.get("data") if isinstance(message, dict) else None
    _check_one(data, _DATA_FORMS, "data")
    if isinstance(data, dict) and "ndarray" in data:
        return _from_table(data.get("names"), data["ndarray"])
    raise Refusal("wrong_shape", "the request has neither jsonData nor data with names and ndarray")


def _check_one(holder: Any, forms: tuple[str, ...], where: str) -> None:
    """Refuse values in two forms: in the protocol they exclude each other, and one of them would be ignored."""
    found = [name for name in forms if isinstance(holder, dict) and holder.get(name) is not None]
    if len(found) > 1:
        raise Refusal("wrong_shape", f"{where} has {' and '.join(found)}; send one of them")


def _from_json(given: Any, known: Collection[str]) -> Columns:
    if isinstance(given, dict):
        return {name: value if type(value) is list else [value] for name, value in given.items()}
    if isinstance(given, list) and all(isinstance(row, dict) for row in given):
        names = dict.fromkeys(name for row in given for name in row)
        return {name: [row.get(name) for row in given] if name in known else [] for name in names}
    raise Refusal(
        "wrong_shape",
        "jsonData must be a mapping with a value or a list per feature, or a list with one mapping per row",
    )


def _from_table(names: Any, rows: Any) -> Columns:
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise Refusal("wrong_shape", "data.names must name the feature of each column of data.ndarray")
    for name, count in Counter(names).items():
        if count > 1:
            raise Refusal("wrong_shape", f"{name[:80]!r} is given twice")
    if not isinstance(rows, list):
        raise Refusal("wrong_shape", "data.ndarray must be a list of rows")
    for number, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != len(names):
            raise Refusal(
                "wrong_shape",
                f"data.ndarray, row {number}: must be a list of {len(names)} values, one for each of names",
            )
    return {name: [row[position] for row in rows] for position, name in enumerate(names)}


def _whole_numbers(columns: Columns, features: tuple[Feature, ...]) -> Columns:
    """Convert integral floats of whole-number features to integers: over gRPC every number is a float."""
    whole = {feature.name for feature in features if feature.type.is_whole}
    return {
        name: [int(value) if type(value) is float and value.is_integer() else value for value in values]
        if name in whole
        else values
        for name, values in columns.items()
    }


def _puid_of(message: Any) -> str:
    """Return the id of a request, or a new one where it has none.

    Raises:
        Refusal: `wrong_type` or `wrong_shape`. An id that is not returned as it was sent could not be joined with a label.
    """
    meta = message.get("meta") if isinstance(message, dict) else None
    if meta is not None and not isinstance(meta, dict):
        raise Refusal("wrong_shape", 'meta must be an object, as in {"puid": "a text"}')
    puid = (meta or {}).get("puid")
    if puid is None or puid == "":
        return _new_id()
    if not isinstance(puid, str) or not is_unicode(puid):
        raise Refusal("wrong_type", f"meta.puid must be a text, found {ascii(puid)[:_SHOWN]}")
    return puid


def _new_id() -> str:
    return str(uuid.uuid4())


def _tensor(name: str, datatype: str, shape: list[int]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape}
