"""The adapter for MLServer: Open Inference Protocol (V2) over REST and gRPC to the predictor core and back."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import grpc
import numpy as np
from mlserver import MLModel
from mlserver.errors import MLServerError
from mlserver.grpc.utils import STATUS_CODE_MAPPING
from mlserver.types import (
    InferenceRequest,
    InferenceResponse,
    MetadataTensor,
    Parameters,
    RequestInput,
    ResponseOutput,
    TensorData,
)

from components._core.errors import NaruError
from components._core.types.feature_types import FEATURE_TYPES, FeatureType
from components._core.types.oip_requests import output_datatype
from components._core.types.signature import Signature
from components._core.types.tasks import TASKS
from components._predictor.feature_values import Columns
from components._predictor.predictor import Predictor
from components._predictor.refusals import STATUS, Refusal
from components.serve.admission import AdmissionControl
from components.serve.limits import Limits
from components.serve.live_test.contract import Answer
from components.serve.oip_bounds import Bounds
from components.serve.oip_json import Tensor, Values, check_range, check_shape
from components.serve.oip_parameters import check_output, check_request, decode_input
from components.serve.prediction_queue import PredictionQueue
from components.serve.request_log import AnsweredRequest
from components.serve.served_model import load_served

# MLServer's mapping has no code for these
STATUS_CODE_MAPPING[STATUS["too_busy"]] = grpc.StatusCode.RESOURCE_EXHAUSTED
STATUS_CODE_MAPPING[STATUS["too_many_rows"]] = grpc.StatusCode.INVALID_ARGUMENT
Outputs = dict[str, np.ndarray[Any, Any]]
_INLINE_ROWS = 1_024
"""Requests up to this many rows are answered on the event loop: a thread would cost more than it saves the others."""


class NaruRuntime(MLModel):
    """A model served by MLServer.

    Its settings hold `uri` (the model folder), `version`, and in `extra` `limits`, `admission`, `fast_path` and `grpc_fast_path`;
    the two paths open when the model is loaded.

    Attributes:
        admission: Admission control of all requests.
        failure: Why a model did not load, for the process around the server: MLServer itself exits as if it had succeeded.
    """

    failure: ClassVar[NaruError | None] = None

    async def load(self) -> bool:
        """Load and warm up off the event loop, so that liveness probes are answered meanwhile."""
        parameters = self.settings.parameters
        extra = (parameters.extra if parameters else None) or {}
        self.admission: AdmissionControl = extra.get("admission") or AdmissionControl()
        self._queue = PredictionQueue()
        limits: Limits = extra.get("limits") or Limits()
        model = Path((parameters.uri if parameters else None) or "")
        try:
            self._predictor: Predictor = await asyncio.to_thread(load_served, model, limits.rows)
        except NaruError as error:
            NaruRuntime.failure = error
            raise
        self.inputs, self.outputs = _metadata(self._predictor.signature, self._predictor.threshold)
        self._types = {feature.name: feature.type for feature in self._predictor.signature.inputs}
        self._unused = frozenset(feature.name for feature in self._predictor.signature.unused)
        features = self._predictor.signature.accepted
        self.bounds = Bounds(limits.for_model(features), len(features), self._predictor.signature.picture_names)
        if fast_path := extra.get("fast_path"):
            fast_path.open(self, self.bounds)
        if grpc_fast_path := extra.get("grpc_fast_path"):
            grpc_fast_path.open(self)
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Answer a request, or refuse it with a status and a reason."""
        payload.id = payload.id or str(uuid.uuid4())  # over gRPC a missing id is the empty text
        try:
            async with self.admission.slot():
                self._check(payload)
                chosen = self.choose([(output.name, _plain(output.parameters)) for output in payload.outputs or []])
                outputs = chosen((await self.answer(payload.id, map(_tensor, payload.inputs))).outputs)
        except Refusal as refusal:
            raise MLServerError(str(refusal), refusal.status) from None
        return InferenceResponse(
            model_name=self.name,
            model_version=self.version,
            id=payload.id,
            parameters=Parameters(),
            outputs=[_output(name, values) for name, values in outputs.items()],
        )

    def _check(self, payload: InferenceRequest) -> None:
        parameters = _plain(payload.parameters)
        parameters.pop("headers", None)  # HTTP headers, which MLServer adds
        check_request(parameters)
        for given in payload.inputs:
            self.bounds.check_texts(given.name, given.data.root)

    def choose(self, wanted: list[tuple[str, dict[str, Any]]]) -> Callable[[Outputs], Outputs]:
        """Return a function that keeps the outputs that a request names; all of them if it names none.

        Raises:
            Refusal: When the model does not have one of them, or a parameter is not supported.
        """
        for name, parameters in wanted:
            check_output(name, parameters, list(self._predictor.signature.outputs))
        names = {name for name, _ in wanted}
        return lambda outputs: {name: values for name, values in outputs.items() if not names or name in names}

    async def answer(self, request_id: str, tensors: Iterable[Tensor], *, is_open: bool = False) -> Answer:
        """Predict, for a request over either HTTP path or over gRPC that holds an admission slot.

        Args:
            request_id: Id of the request.
            tensors: Its inputs.
            is_open: Whether a version under test may answer: the request names no version, and its answer can.

        Raises:
            Refusal: With a status and a message that may go to the client.
        """
        started = time.perf_counter()
        columns: Columns = self._columns(tensors)
        is_heavy = self._predictor.is_heavy(columns)
        columns = (
            await asyncio.to_thread(self._predictor.prepare, columns) if is_heavy else self._predictor.prepare(columns)
        )
        if is_open and self.admission.live_test is not None and (other := await self._ask(request_id, columns)):
            self.admission.metrics.count_answer(_rows_of(other.outputs), time.perf_counter() - started)
            return other
        outputs = await self._predict(columns, is_heavy=is_heavy)
        rows, seconds = _rows_of(outputs), time.perf_counter() - started
        answered = AnsweredRequest(request_id, time.time(), seconds, rows, columns, outputs)
        self.admission.record_answer(answered, _after_the_answer(rows, is_heavy=is_heavy), is_open=is_open)
        return Answer(outputs)

    async def _ask(self, request_id: str, columns: Columns) -> Answer | None:
        """Return the answer of the version under test, where it has the request and answers it."""
        live_test = self.admission.live_test
        if live_test is None or not live_test.routes(request_id, columns):
            return None
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(live_test.threads, live_test.ask, request_id, columns)

    async def _predict(self, columns: Columns, *, is_heavy: bool) -> Outputs:
        if is_heavy or max(map(len, columns.values()), default=0) > _INLINE_ROWS:
            return await asyncio.to_thread(self._predictor.predict, columns)
        outputs: Outputs = await self._queue.run(lambda: self._predictor.predict(columns))
        return outputs

    def _columns(self, tensors: Iterable[Tensor]) -> dict[str, Values]:
        columns: dict[str, Values] = {}
        for given in tensors:
            if given.name in columns:
                raise Refusal("wrong_shape", f"{given.name!r} is given twice")
            columns[given.name] = _column(given, self._types.get(given.name))
        return {name: values for name, values in columns.items() if name not in self._unused}


def _rows_of(outputs: Outputs) -> int:
    return len(next(iter(outputs.values())))


def _after_the_answer(rows: int, *, is_heavy: bool) -> Callable[..., object]:
    """Return what calls a function once the running task has sent its answer: on the event loop, or in a thread for many rows or large pictures."""
    loop = asyncio.get_running_loop()
    return loop.call_soon if rows <= _INLINE_ROWS and not is_heavy else partial(loop.run_in_executor, None)


def _tensor(given: RequestInput) -> Tensor:
    datatype = getattr(given.datatype, "value", given.datatype)  # a text over gRPC, an Enum over REST
    data = decode_input(given.name, datatype, _plain(given.parameters), given.data.root)
    return Tensor(given.name, datatype, given.shape, data)


def _plain(parameters: Parameters | None) -> dict[str, Any]:
    return parameters.model_dump(exclude_none=True) if parameters else {}


def _column(given: Tensor, wanted: FeatureType | None) -> Values:
    if wanted is not None and given.datatype not in wanted.oip_accepted:
        message = f"{given.name!r} is sent as {given.datatype}; this model takes it as {wanted.oip}"
        raise Refusal("wrong_type", message)
    values: Values = given.data
    if not isinstance(values, list | np.ndarray):
        raise Refusal("wrong_shape", f"{given.name!r}: data must be a list with one value per row")
    check_shape(given.name, given.shape)
    if len(given.shape) == 2 and isinstance(values, list):
        values = [value[0] if isinstance(value, list) and len(value) == 1 else value for value in values]
    if given.shape[0] != len(values):
        raise Refusal("wrong_shape", f"{given.name!r} has shape {given.shape} and {len(values)} values")
    check_range(given.name, given.datatype, values)
    return values


def _output(name: str, values: np.ndarray[Any, Any]) -> ResponseOutput:
    is_text = values.dtype == object
    flat: list[Any] = [text.encode("utf-8") for text in values] if is_text else values.ravel().tolist()
    return ResponseOutput(
        name=name,
        shape=list(values.shape),
        datatype=output_datatype(values),
        data=TensorData(root=flat),
    )


def _metadata(signature: Signature, threshold: float | None) -> tuple[list[MetadataTensor], list[MetadataTensor]]:
    inputs = [
        MetadataTensor(
            name=feature.name,
            datatype=feature.type.oip,
            shape=[-1],
            parameters=Parameters(
                nullable=feature.nullable, **({"content": feature.content} if feature.content else {})
            ),
        )
        for feature in signature.inputs
    ]
    decides: dict[str, Any] = {} if threshold is None else {"threshold": threshold}
    classes = Parameters(classes=list(signature.classes), **decides)
    outputs = [
        MetadataTensor(
            name=name,
            datatype=FEATURE_TYPES[dtype].oip,
            shape=TASKS[signature.task].output_shape(name, signature.classes),
            parameters=classes if signature.classes else None,
        )
        for name, dtype in signature.outputs.items()
    ]
    return inputs, outputs
