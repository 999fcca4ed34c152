"""Conformance with the Open Inference Protocol (V2), asked of a real server over HTTP and gRPC."""

import json
import urllib.error
import urllib.request
from typing import Any

import grpc
import pytest
from mlserver.grpc import dataplane_pb2 as pb
from mlserver.grpc.dataplane_pb2_grpc import GRPCInferenceServiceStub

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


def test_health_and_readiness_are_told(server: Running) -> None:
    root = server.url.partition("/v2/")[0]
    assert ask(f"{root}/v2/health/live")[0] == 200
    assert ask(f"{root}/v2/health/ready")[0] == 200
    assert ask(f"{server.url}/ready")[0] == 200


def test_metadata_tells_features_types_and_classes(server: Running) -> None:
    _, told = ask(server.url)
    assert told["name"] == "tiny"
    assert [(item["name"], item["datatype"], item["parameters"]["nullable"]) for item in told["inputs"]] == [
        ("delay", "FP32", True),
        ("month", "INT64", False),
        ("carrier", "BYTES", False),
        ("noise", "FP32", False),
    ]
    probabilities = next(item for item in told["outputs"] if item["name"] == "probabilities")
    assert probabilities["shape"] == [-1, 3]
    assert probabilities["parameters"]["classes"] == ["early", "late", "on time"]


def test_a_row_is_answered_with_name_version_and_id(server: Running) -> None:
    status, answer = infer(server, id="mine")
    assert status == 200
    assert (answer["model_name"], answer["model_version"], answer["id"]) == ("tiny", "3", "mine")
    outputs = {item["name"]: item for item in answer["outputs"]}
    assert outputs["class"]["data"] == ["late"] and outputs["class"]["datatype"] == "BYTES"
    assert outputs["probabilities"]["shape"] == [1, 3] and sum(outputs["probabilities"]["data"]) == pytest.approx(1)


def test_a_missing_value_is_null_and_columns_may_be_two_dimensional(server: Running) -> None:
    assert infer(server, tensor("delay", "FP32", None))[0] == 200
    assert infer(server, tensor("delay", "FP64", [30.0], shape=[1, 1]))[0] == 200


def test_many_rows_are_answered_like_single_ones(server: Running) -> None:
    _, one = infer(server)
    _, many = ask(
        f"{server.url}/infer", {"inputs": [tensor(i["name"], i["datatype"], *(i["data"] * 600)) for i in ROW]}
    )
    first = {item["name"]: item["data"] for item in one["outputs"]}
    assert {item["name"]: item["data"] for item in many["outputs"]}["class"] == first["class"] * 600


@pytest.mark.parametrize(
    ("changed", "status", "told"),
    [
        (
            tensor("dealy", "FP32", 1.0),
            400,
            "unknown_feature: 'dealy' is no feature of this model; did you mean 'delay'",
        ),
        (tensor("month", "INT64", "6"), 400, "wrong_type: 'month', row 0"),
        (tensor("month", "FP32", 6.0), 400, "wrong_type: 'month' is sent as FP32"),
        (tensor("month", "INT64", None), 400, "missing_feature: 'month', row 0"),
        (tensor("noise", "FP64", 1e300), 400, "not_finite: 'noise', row 0"),
        (tensor("month", "INT64", 6, 7), 400, "wrong_shape"),
        (tensor("month", "INT64", 6, shape=[2]), 400, "wrong_shape: 'month' has shape [2] and 1 values"),
        (tensor("month", "INT64", 6, shape=[1, 1, 1]), 400, "wrong_shape: 'month' has shape [1, 1, 1]"),
    ],
)
def test_a_wrong_feature_is_refused_by_name(server: Running, changed: dict[str, Any], status: int, told: str) -> None:
    found, answer = infer(server, changed)
    assert found == status and told in answer["error"]


def test_a_feature_given_twice_or_not_at_all_is_refused(server: Running) -> None:
    assert "given twice" in ask(f"{server.url}/infer", {"inputs": [*ROW, ROW[0]]})[1]["error"]
    assert "'month' is missing" in ask(f"{server.url}/infer", {"inputs": [ROW[0]]})[1]["error"]
    assert ask(f"{server.url}/infer", {"inputs": []})[0] == 400


def test_too_many_rows_are_refused_with_413(server: Running) -> None:
    inputs = [tensor(item["name"], item["datatype"], *(item["data"] * 1_001)) for item in ROW]
    status, answer = ask(f"{server.url}/infer", {"inputs": inputs})
    assert status == 413 and "at most 1000" in answer["error"]


def test_what_is_no_request_is_the_clients_mistake(server: Running) -> None:
    assert ask(f"{server.url}/infer", b"{no json")[0] == 422
    assert ask(f"{server.url}/infer", {"rows": 1})[0] == 422
    assert ask(f"{server.url}/infer", {"inputs": [{**ROW[0], "data": float("nan")}]})[0] == 422
    assert ask(server.url.replace("tiny", "other"))[0] == 404


def test_a_request_cannot_load_another_model(server: Running) -> None:
    root = server.url.partition("/v2/")[0]
    assert ask(f"{root}/v2/repository/index", {})[1] == []
    assert ask(f"{root}/v2/repository/models/other/load", {})[0] == 404


def grpc_row(delay: float = 30.0) -> list[dict]:
    """The inputs of `ROW` as gRPC has them, but for the delay."""
    contents = [
        {"fp32_contents": [delay]},
        {"int64_contents": [6]},
        {"bytes_contents": [b"AA"]},
        {"fp32_contents": [0.5]},
    ]
    return [
        {"name": item["name"], "datatype": item["datatype"], "shape": [1], "contents": content}
        for item, content in zip(ROW, contents, strict=True)
    ]


def test_grpc_answers_as_http_does(server: Running) -> None:
    _, over_http = infer(server)
    inputs = grpc_row()
    with grpc.insecure_channel(server.grpc) as channel:
        stub = GRPCInferenceServiceStub(channel)
        answer = stub.ModelInfer(pb.ModelInferRequest(model_name="tiny", inputs=inputs), timeout=120)
        with pytest.raises(grpc.RpcError, match="'month' is missing"):
            stub.ModelInfer(pb.ModelInferRequest(model_name="tiny", inputs=inputs[:1]), timeout=120)
    outputs = {item.name: item.contents for item in answer.outputs}
    expected = {item["name"]: item["data"] for item in over_http["outputs"]}
    assert list(outputs["probabilities"].fp32_contents) == pytest.approx(expected["probabilities"], abs=1e-6)
    assert [text.decode() for text in outputs["class"].bytes_contents] == expected["class"]
