"""The smoke test of a server before its model becomes the champion: offline answers, latency, and a refusal."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from components._core.checks import Check
from components._core.examples.samples import Sample
from components._core.project.gate_config import ServingGates
from components._core.types.oip_requests import to_request
from components._core.types.signature import Feature
from components.deploy.model_client import InferenceClient
from components.deploy.parity import check_parity, check_refusal, expect_answer

_WARM_UP = 20
_TIMED = 200
_BATCH_ROWS = 1_000
_BATCH_BYTES = 8 << 20
"""Most bytes of a large request, which a server bounds: of rows with pictures it has fewer."""
_BATCHES = 5


@dataclass
class SmokeTestResult:
    """Result of a smoke test.

    Attributes:
        checks: The gates.
        milliseconds: Time of each request of one row.
        batch_milliseconds: Median time of a request of `batch_rows` rows.
        batch_rows: Rows of a large request.
        rows: Test rows whose answers were compared.
        with_gaps: Compared rows with a missing value.
    """

    checks: list[Check] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)
    batch_milliseconds: float = 0.0
    batch_rows: int = _BATCH_ROWS
    rows: int = 0
    with_gaps: int = 0

    def percentiles(self) -> dict[str, float]:
        """p50, p95 and p99 of one row, in milliseconds."""
        return {f"p{at}": round(float(np.percentile(self.milliseconds, at)), 3) for at in (50, 95, 99)}


def run_smoke_test(
    client: InferenceClient, sample: Sample, features: tuple[Feature, ...], gates: ServingGates
) -> SmokeTestResult:
    """Run the smoke test.

    Raises:
        ServiceError: When the server does not answer, or refuses a valid request.
    """
    result = SmokeTestResult(rows=sample.rows.num_rows, with_gaps=sample.with_gaps)
    result.checks += check_parity(client, sample, features, gates.parity)
    _time(client, sample.rows, features, result)
    bounds = {"p50": gates.p50_ms, "p95": gates.p95_ms, "p99": gates.p99_ms}
    result.checks += [_judge_latency(result, name, bound) for name, bound in bounds.items() if bound is not None]
    result.checks.append(check_refusal(client, sample, features))
    return result


def _time(client: InferenceClient, rows: pa.Table, features: tuple[Feature, ...], result: SmokeTestResult) -> None:
    requests = [to_request(rows.slice(row % rows.num_rows, 1), features) for row in range(_TIMED)]
    for request in requests[:_WARM_UP]:
        client.infer(request)
    result.milliseconds = [1e3 * expect_answer(client.infer(request)).seconds for request in requests]
    largest = max(len(json.dumps(request)) for request in requests[: rows.num_rows])
    result.batch_rows = max(1, min(_BATCH_ROWS, _BATCH_BYTES // largest))
    many = to_request(rows.take(pa.array(np.arange(result.batch_rows) % rows.num_rows)), features)
    taken = [expect_answer(client.infer(many)).seconds for _ in range(_BATCHES)]
    result.batch_milliseconds = round(1e3 * float(np.median(taken)), 3)


def _judge_latency(result: SmokeTestResult, name: str, bound: float) -> Check:
    found, n = result.percentiles()[name], len(result.milliseconds)
    message = f"{name[1:]} % of {n} requests of one row within {found:.3g} ms; the bound is {bound:g} ms"
    return Check(f"{name} latency (ms)", "pass" if found <= bound else "fail", found, bound, n=n, reason=message)
