"""The parity test: a server must answer as the model did offline, and refuse a malformed request; works with any client."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from components._core.checks import Check
from components._core.errors import ServiceError
from components._core.examples.samples import Arrays, Sample
from components._core.types.oip_requests import to_request
from components._core.types.signature import Feature
from components.deploy.model_client import Answer, InferenceClient, to_outputs

_SINGLE = 50


def check_parity(client: InferenceClient, sample: Sample, features: tuple[Feature, ...], bound: float) -> list[Check]:
    """Send the sample's rows, singly and in one request, and compare the answers with the offline ones.

    Args:
        client: Client of the server.
        sample: Rows and their offline answers.
        features: Inputs of the model, in its signature's order.
        bound: `gates.serving.parity`.

    Raises:
        ServiceError: When the server does not answer, or refuses a valid request.
    """
    if not sample.rows.num_rows or not sample.outputs:
        message = (
            f"{sample.rows.num_rows} rows with {len(sample.outputs)} offline answers each: nothing can be compared"
        )
        return [Check("parity", "fail", n=0, reason=message)]
    return compare(sample.outputs, _serve_mixed(client, sample.rows, features), bound)


def check_answer(
    client: InferenceClient, sample: Sample, features: tuple[Feature, ...], version: str, bound: float
) -> list[Check]:
    """Send one row of the sample, and compare the answer with the offline one where it is this version's: in an A/B test another may give it.

    Args:
        client: Client of the server.
        sample: Rows and their offline answers.
        features: Inputs of the model, in its signature's order.
        version: The version of the server.
        bound: `gates.serving.parity`.

    Raises:
        ServiceError: When the server does not answer, or refuses the request.
    """
    answer = expect_answer(client.infer(to_request(sample.rows.slice(0, 1), features)))
    if answer.body.get("model_version") != version:
        return [Check("answers", "pass", n=1, reason=f"version {answer.body.get('model_version')} answered for it")]
    offline = {name: values[:1] for name, values in sample.outputs.items()}
    return compare(offline, to_outputs(answer.body), bound)


def check_refusal(client: InferenceClient, sample: Sample, features: tuple[Feature, ...]) -> Check:
    """Check that a value of the wrong type is refused as the client's mistake, with the name of the feature."""
    request = to_request(sample.rows.slice(0, 1), features)
    feature = features[0]
    request["inputs"][0]["data"] = [1] if feature.type.is_text else ["not a number"]
    answer = client.infer(request)
    message = str(answer.body.get("error", ""))
    # a refusal has the name's repr, in which quotes, backslashes and unprintable characters differ from the name itself
    good = 400 <= answer.status < 500 and (repr(feature.name) in message or feature.name in message)
    reason = f"a wrong {feature.name} was answered with {answer.status}: {message}"
    return Check("malformed request", "pass" if good else "fail", measured=answer.status, reason=reason)


def compare(offline: Arrays, served: Arrays, parity: float) -> list[Check]:
    """Make one check per output: numbers by their largest difference (relative where above 1), texts by equality."""
    checks = []
    for name, expected in sorted(offline.items()):
        found = served.get(name)
        if not expected.size:
            checks.append(Check(f"parity: {name}", "fail", n=0, reason="there is no offline answer to compare with"))
            continue
        if found is None or found.shape != expected.shape:
            shape = "nothing" if found is None else f"shape {list(found.shape)}"
            checks.append(Check(f"parity: {name}", "fail", reason=f"served {shape}, offline {list(expected.shape)}"))
            continue
        is_text = expected.dtype == object
        apart = (expected != found).astype(np.float64) if is_text else _apart(expected, found)
        checks.append(_judge(name, apart, 0.0 if is_text else parity, len(expected)))
    return checks


def expect_answer(answer: Answer) -> Answer:
    """Return the answer to a valid request.

    Raises:
        ServiceError: When the request was refused.
    """
    if answer.status != 200:
        raise ServiceError(
            f"the model server refused real test rows with {answer.status}: {answer.body.get('error', answer.body)}"
        )
    return answer


def _apart(expected: np.ndarray[Any, Any], found: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    difference = np.abs(expected.astype(np.float64) - found.astype(np.float64))
    return np.asarray(difference / np.maximum(1.0, np.abs(expected.astype(np.float64))))


def _judge(name: str, apart: np.ndarray[Any, Any], bound: float, rows: int) -> Check:
    worst = float(apart.max())
    row = int(np.unravel_index(int(apart.argmax()), apart.shape)[0])
    if worst <= bound:
        return Check(f"parity: {name}", "pass", worst, bound, n=rows, reason=f"{rows} rows served as offline")
    message = f"{name} served differs from offline by {worst:.3g} at row {row}; at most {bound:g} is allowed"
    return Check(f"parity: {name}", "fail", worst, bound, n=rows, reason=message)


def _serve_mixed(client: InferenceClient, rows: pa.Table, features: tuple[Feature, ...]) -> Arrays:
    """Send the first rows one by one, the rest in one request: clients do both."""
    singles = min(_SINGLE, rows.num_rows)
    parts = [_served(client, rows.slice(row, 1), features) for row in range(singles)]
    if singles < rows.num_rows:
        parts.append(_served(client, rows.slice(singles), features))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _served(client: InferenceClient, rows: pa.Table, features: tuple[Feature, ...]) -> Arrays:
    return to_outputs(expect_answer(client.infer(to_request(rows, features))).body)
