"""What a server must show before its model is the champion: the offline answers, in time, and a refusal where one is due."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from components._core.checks import Check
from components._core.errors import DataError, ServiceError
from components._core.examples import read_head
from components._core.features import Feature, Signature, to_arrays
from components._core.inference import find_missing, to_request
from components._core.serving import ServingGates
from components.deploy.client import Answer, Client, to_outputs

Arrays = dict[str, np.ndarray[Any, Any]]
Predict = Callable[[Arrays], Arrays]

_LOOKED_AT = 5_000
_ROWS = 300
_WITH_GAPS = 60
_SINGLE = 50
_WARM_UP = 20
_TIMED = 200
_BATCH_ROWS = 1_000
_BATCHES = 5


@dataclass
class Probe:
    """What was found.

    Attributes:
        checks: The gates.
        milliseconds: Of each timed request of one row.
        batch_milliseconds: Median of a request of `batch_rows` rows.
        batch_rows: Rows of such a request.
        rows: Test rows whose answers were compared.
        with_gaps: Of them, rows with a missing value.
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


def probe_rows(examples: Path, features: tuple[Feature, ...]) -> pa.Table:
    """Real test rows to send, the same in every run: some with missing values where the features allow them, and whole ones.

    Raises:
        DataError: When the test split has no row that the model can take.
    """
    head = read_head(examples, "test", _LOOKED_AT, [feature.name for feature in features])
    gaps = np.zeros(head.num_rows, dtype=bool)
    refused = np.zeros(head.num_rows, dtype=bool)
    for feature in features if head.num_rows else ():
        missing = find_missing(head[feature.name])
        gaps |= missing
        refused |= missing & (not feature.nullable)
    with_gaps = np.flatnonzero(gaps & ~refused)[:_WITH_GAPS]
    whole = np.flatnonzero(~gaps)[: _ROWS - len(with_gaps)]
    chosen = np.sort(np.concatenate([with_gaps, whole]))
    if not chosen.size:
        raise DataError("the test split has no row to send", where=str(examples), remedy="give it more rows")
    return head.take(pa.array(chosen))


def probe_server(client: Client, predict: Predict, signature: Signature, rows: pa.Table, gates: ServingGates) -> Probe:
    """Ask everything. `predict` is the model that train wrote, called in this process.

    Raises:
        ServiceError: When the server gives no answer at all, or refuses a proper request.
    """
    probe = Probe(rows=rows.num_rows, with_gaps=_count_gaps(rows))
    offline = predict(to_arrays(rows, signature.inputs))
    served = _serve_mixed(client, rows, signature.inputs)
    probe.checks += compare(offline, served, gates.parity)
    _time(client, rows, signature.inputs, probe)
    probe.checks.append(_judge_latency(probe, gates.p95_ms))
    probe.checks.append(_check_refusal(client, rows, signature.inputs))
    return probe


def compare(offline: Arrays, served: Arrays, parity: float) -> list[Check]:
    """One check per output: numbers by their largest difference (relative where they are above 1), texts by equality."""
    checks = []
    for name, expected in sorted(offline.items()):
        found = served.get(name)
        if found is None or found.shape != expected.shape:
            shape = "nothing" if found is None else f"shape {list(found.shape)}"
            checks.append(Check(f"parity: {name}", "fail", reason=f"served {shape}, offline {list(expected.shape)}"))
            continue
        is_text = expected.dtype == object
        apart = (expected != found).astype(np.float64) if is_text else _apart(expected, found)
        checks.append(_judge_parity(name, apart, 0.0 if is_text else parity, len(expected)))
    return checks


def _apart(expected: np.ndarray[Any, Any], found: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    difference = np.abs(expected.astype(np.float64) - found.astype(np.float64))
    return np.asarray(difference / np.maximum(1.0, np.abs(expected.astype(np.float64))))


def _judge_parity(name: str, apart: np.ndarray[Any, Any], bound: float, rows: int) -> Check:
    worst = float(apart.max())
    row = int(np.unravel_index(int(apart.argmax()), apart.shape)[0])
    if worst <= bound:
        return Check(f"parity: {name}", "pass", worst, bound, n=rows, reason=f"{rows} rows served as offline")
    told = f"{name} served differs from offline by {worst:.3g} at row {row}; at most {bound:g} is allowed"
    return Check(f"parity: {name}", "fail", worst, bound, n=rows, reason=told)


def _serve_mixed(client: Client, rows: pa.Table, features: tuple[Feature, ...]) -> Arrays:
    """The first rows one by one, the rest in one request: clients do both."""
    singles = min(_SINGLE, rows.num_rows)
    parts = [_served(client, rows.slice(row, 1), features) for row in range(singles)]
    if singles < rows.num_rows:
        parts.append(_served(client, rows.slice(singles), features))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _served(client: Client, rows: pa.Table, features: tuple[Feature, ...]) -> Arrays:
    return to_outputs(_expect_answer(client.ask(to_request(rows, features))).body)


def _expect_answer(answer: Answer) -> Answer:
    if answer.status != 200:
        raise ServiceError(
            f"the model server refused real test rows with {answer.status}: {answer.body.get('error', answer.body)}"
        )
    return answer


def _time(client: Client, rows: pa.Table, features: tuple[Feature, ...], probe: Probe) -> None:
    requests = [to_request(rows.slice(row % rows.num_rows, 1), features) for row in range(_TIMED)]
    for request in requests[:_WARM_UP]:
        client.ask(request)
    probe.milliseconds = [1e3 * _expect_answer(client.ask(request)).seconds for request in requests]
    many = to_request(rows.take(pa.array(np.arange(_BATCH_ROWS) % rows.num_rows)), features)
    taken = [_expect_answer(client.ask(many)).seconds for _ in range(_BATCHES)]
    probe.batch_milliseconds = round(1e3 * float(np.median(taken)), 3)


def _judge_latency(probe: Probe, bound: float) -> Check:
    p95 = probe.percentiles()["p95"]
    told = f"95 % of {len(probe.milliseconds)} requests of one row within {p95:.3g} ms; the bound is {bound:g} ms"
    return Check(
        "p95 latency (ms)", "pass" if p95 <= bound else "fail", p95, bound, n=len(probe.milliseconds), reason=told
    )


def _check_refusal(client: Client, rows: pa.Table, features: tuple[Feature, ...]) -> Check:
    """A value of the wrong type must be refused as the client's mistake, by the name of the feature."""
    request = to_request(rows.slice(0, 1), features)
    feature = features[0]
    request["inputs"][0]["data"] = [1] if feature.dtype == "string" else ["no number"]
    answer = client.ask(request)
    told = str(answer.body.get("error", ""))
    good = 400 <= answer.status < 500 and feature.name in told
    reason = f"a wrong {feature.name} was answered with {answer.status}: {told}"
    return Check("malformed request", "pass" if good else "fail", measured=answer.status, reason=reason)


def _count_gaps(rows: pa.Table) -> int:
    gaps = np.zeros(rows.num_rows, dtype=bool)
    for name in rows.column_names:
        gaps |= find_missing(rows[name])
    return int(gaps.sum())
