"""What MLServer would offer, and a served model does not."""

from __future__ import annotations

import json

import grpc
import pytest
from mlserver.grpc import model_repository_pb2 as pb
from mlserver.grpc.model_repository_pb2_grpc import ModelRepositoryServiceStub

from tests.components.serve.conftest import Running
from tests.components.serve.test_mlserver_runtime import ROW, ask, infer

pytestmark = pytest.mark.slow  # a server for these alone; what it does for requests is in conformance/


@pytest.mark.parametrize(
    "content",
    [
        b"{no json",
        b'{"inputs": [{"name": "\xff"}]}',
        b'{"inputs": ' + b"[" * 20 + b"]" * 20 + b"}",
        {"rows": 1},
        {"inputs": [{**ROW[0], "datatype": "FLOAT"}]},
        {"inputs": [{**ROW[0], "shape": "/etc/passwd"}]},
    ],
    ids=["no JSON", "no UTF-8", "nested", "no inputs", "no datatype", "no shape"],
)
def test_an_invalid_request_is_answered_with_its_path_and_no_internals(server: Running, content: object) -> None:
    status, answer = ask(f"{server.url}/infer", content)
    assert status == 422 and all(each.keys() == {"type", "loc", "msg"} for each in answer["detail"])
    assert "pydantic" not in json.dumps(answer) and "/etc/passwd" not in json.dumps(answer)


@pytest.mark.parametrize("request_id", ["\x00", "two\nlines", "나루"])
def test_an_id_that_no_header_can_hold_is_answered(server: Running, request_id: str) -> None:
    for more in ({}, {"parameters": {}}):
        status, answer = infer(server, id=request_id, **more)
        assert status == 200 and answer["id"] == request_id


def test_nobody_unloads_the_model(server: Running) -> None:
    root = server.url.partition("/v2/")[0]
    assert ask(f"{root}/v2/repository/models/tiny/unload", {})[0] == 403
    unload = pb.RepositoryModelUnloadRequest(model_name="tiny")
    with (
        grpc.insecure_channel(server.grpc) as channel,
        pytest.raises(grpc.RpcError, match="the model cannot be unloaded"),
    ):
        ModelRepositoryServiceStub(channel).RepositoryModelUnload(unload, timeout=120)
    assert infer(server)[0] == 200


def test_there_are_no_streams(server: Running) -> None:
    for name in ("infer_stream", "generate_stream"):
        assert ask(f"{server.url}/{name}", {"inputs": ROW})[0] == 404
