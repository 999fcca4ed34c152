"""What only the Open Inference Protocol (V2) has, tried on a real server; what every server answers is in `conformance`."""

import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from tests.components.serve.conftest import Running


def tensor(name: str, datatype: str, *data: Any, shape: list[int] | None = None) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape or [len(data)], "data": list(data)}


ROW = [
    tensor("delay", "FP32", 30.0),
    tensor("month", "INT64", 6),
    tensor("carrier", "BYTES", "AA"),
    tensor("noise", "FP32", 0.5),
]


def ask(url: str, content: Any = None) -> tuple[int, Any]:
    data = None if content is None else content if isinstance(content, bytes) else json.dumps(content).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=120) as response:
            body, status = response.read(), response.status
    except urllib.error.HTTPError as error:
        body, status = error.read(), error.code
    return status, json.loads(body) if body else None


def infer(server: Running, *changed: dict[str, Any], **more: Any) -> tuple[int, Any]:
    names = {item["name"] for item in changed}
    inputs = [item for item in ROW if item["name"] not in names] + list(changed)
    return ask(f"{server.url}/infer", {"inputs": inputs, **more})


def test_health_and_readiness_are_reported(server: Running) -> None:
    root = server.url.partition("/v2/")[0]
    assert ask(f"{root}/v2/health/live")[0] == 200
    assert ask(f"{root}/v2/health/ready")[0] == 200
    assert ask(f"{server.url}/ready")[0] == 200


def test_metadata_has_features_types_and_classes(server: Running) -> None:
    _, answer = ask(server.url)
    assert answer["name"] == "tiny"
    assert [(item["name"], item["datatype"], item["parameters"]["nullable"]) for item in answer["inputs"]] == [
        ("delay", "FP32", True),
        ("month", "INT64", False),
        ("carrier", "BYTES", False),
        ("noise", "FP32", False),
    ]
    probabilities = next(item for item in answer["outputs"] if item["name"] == "probabilities")
    assert probabilities["shape"] == [-1, 3]
    assert probabilities["parameters"]["classes"] == ["early", "late", "on time"]


def test_columns_may_be_two_dimensional(server: Running) -> None:
    assert infer(server, tensor("delay", "FP64", [30.0], shape=[1, 1]))[0] == 200


@pytest.mark.parametrize(
    ("changed", "status", "message"),
    [
        (tensor("month", "FP32", 6.0), 400, "wrong_type: 'month' is sent as FP32"),
        (tensor("month", "INT64", None), 400, "missing_feature: 'month', row 0"),
        (tensor("month", "INT64", 6, shape=[2]), 400, "wrong_shape: 'month' has shape [2] and 1 values"),
        (tensor("month", "INT64", 6, shape=[1, 1, 1]), 400, "wrong_shape: 'month' has shape [1, 1, 1]"),
    ],
)
def test_a_wrong_feature_is_refused_by_name(
    server: Running, changed: dict[str, Any], status: int, message: str
) -> None:
    found, answer = infer(server, changed)
    assert found == status and message in answer["error"]


def test_a_feature_given_twice_is_refused(server: Running) -> None:
    assert "given twice" in ask(f"{server.url}/infer", {"inputs": [*ROW, ROW[0]]})[1]["error"]


def test_an_invalid_request_is_the_clients_mistake(server: Running) -> None:
    assert ask(f"{server.url}/infer", {"inputs": [{**ROW[0], "data": float("nan")}]})[0] == 422
    assert ask(server.url.replace("tiny", "other"))[0] == 404


def test_a_request_cannot_load_another_model(server: Running) -> None:
    root = server.url.partition("/v2/")[0]
    assert ask(f"{root}/v2/repository/index", {})[1] == []
    assert ask(f"{root}/v2/repository/models/other/load", {})[0] == 404
