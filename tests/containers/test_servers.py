"""The heart of the servers' conformance, in their containers."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.components.serve.conformance import test_answers as conformance
from tests.components.serve.conformance.wires import Rest, SeldonGrpc, SeldonRest, V2Grpc, V2Rest, Wire
from tests.components.tiny_models import write_model
from tests.components.tiny_onnx_model import write_onnx_model
from tests.containers.conftest import started, wait_until_answers
from tests.containers.engine import READ_ONLY, tag
from tests.containers.s3_server import free_port

pytestmark = pytest.mark.containers

CLIENTS: dict[str, tuple[type[Rest], Callable[[str], Wire]]] = {
    "server": (V2Rest, V2Grpc),
    "server-onnx": (V2Rest, V2Grpc),
    "server-seldon": (SeldonRest, SeldonGrpc),
}
write_multiclass = partial(write_model, task="multiclass_classification")
HEART = (
    conformance.test_a_row_is_answered_with_name_version_and_id,
    conformance.test_many_rows_are_answered_like_single_ones,
    conformance.test_a_nullable_feature_may_be_null_nan_or_left_out,
)


@pytest.fixture(scope="module", params=CLIENTS)
def wires(
    request: pytest.FixtureRequest, images: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Wire]]:
    write = write_onnx_model if request.param == "server-onnx" else write_multiclass
    model = _readable(write(tmp_path_factory.mktemp("model")))
    port, grpc_port = free_port(), free_port()
    ports = ("--port", str(port), "--grpc-port", str(grpc_port), "--metrics-port", "0", "--notice-seconds", "0")
    rest, grpc = CLIENTS[request.param]
    options = ("--volume", f"{model}:/model:ro")
    with started(request.param, "--name", "tiny", "--version", "3", *ports, options=options):
        wait_until_answers(f"http://127.0.0.1:{port}{rest.ready}")
        yield [rest(f"http://127.0.0.1:{port}"), grpc(f"127.0.0.1:{grpc_port}")]


def _readable(model: Path) -> Path:
    model.chmod(0o755)
    return model


@pytest.mark.parametrize("check", HEART)
def test_a_container_answers_as_its_process_does(check: Callable[[Wire], None], wires: list[Wire]) -> None:
    for wire in wires:
        check(wire)


@pytest.mark.parametrize("case", conformance.REFUSED)
def test_a_container_refuses_as_its_process_does(case: str, wires: list[Wire]) -> None:
    for wire in wires:
        conformance.test_a_wrong_request_is_refused_with_the_name_of_what_is_wrong(wire, case)


def test_a_model_of_tensorflow_is_refused_by_the_server_without_it(
    images: None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    model = _readable(write_multiclass(tmp_path_factory.mktemp("model")))
    command = ["docker", "run", *READ_ONLY, "--volume", f"{model}:/model:ro", tag("server-onnx"), "--name", "tiny"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2, done.stderr
    assert "not installed: tensorflow" in done.stderr and "naru-server" in done.stderr
    assert "Traceback" not in done.stderr
