"""Which requests are read the short way, and that it gives what the long way gives."""

from __future__ import annotations

import gzip
import http.client
import json
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

from components._predictor.refusals import Refusal
from components.serve.limits import Limits
from components.serve.oip_bounds import Bounds
from components.serve.oip_json import Tensor, check_range, check_shape, read_plain, write_answer
from tests.components.serve.conftest import Running
from tests.components.serve.test_mlserver_runtime import ROW, ask, tensor

BOUNDS = Bounds(Limits(), features=4)
DELAY = tensor("delay", "FP32", 1.5)


def read(content: Any) -> Any:
    return read_plain(content if isinstance(content, bytes) else json.dumps(content).encode(), BOUNDS)


def test_an_id_and_inputs_are_read() -> None:
    assert read({"id": "mine", "inputs": [DELAY]}) == ("mine", [Tensor("delay", "FP32", [1], [1.5])])
    carrier = tensor("carrier", "BYTES", "A[A]")
    assert read({"id": "mine", "inputs": [carrier]}) == ("mine", [Tensor("carrier", "BYTES", [1], ["A[A]"])])
    assert read({"inputs": []}) == ("", []) and read({"id": None, "inputs": []}) == ("", [])


@pytest.mark.parametrize(
    ("datatype", "data", "dtype"),
    [
        ("INT64", [1, -(2**63)], np.int64),
        ("INT8", [1], np.int64),
        ("FP32", [1, 0.1], np.float64),
        ("FP64", [], np.float64),
    ],
)
def test_numbers_are_read_into_arrays(datatype: str, data: list[Any], dtype: type) -> None:
    _, [found] = read({"inputs": [{**DELAY, "datatype": datatype, "data": data}]})
    assert isinstance(found.data, np.ndarray) and found.data.dtype == dtype and found.data.tolist() == data


@pytest.mark.parametrize("data", [[1, None], [1, True], [1, "2"], [1, [2]], [[1], [2]], [1, 1.5], [{}], [2**63]])
def test_what_are_not_only_numbers_is_read_as_it_is(data: list[Any]) -> None:
    _, [found] = read({"inputs": [{**DELAY, "datatype": "INT64", "data": data}]})
    assert isinstance(found.data, list) and [*map(type, found.data)] == [*map(type, data)] and found.data == data


@pytest.mark.parametrize(
    "content",
    [
        b"{no json",
        b"\xff",
        b'{"inputs": NaN}',
        b'{"inputs": [], "inputs": []}',
        b'{"inputs": [], "id": "\\ud800"}',
        b'{"inputs": [{"name": "a", "name": "b", "shape": [1], "datatype": "FP32", "data": [1]}]}',
        b'{"inputs": ' + b"[" * 2_000 + b"]" * 2_000 + b"}",
        [],
        None,
        {},
        {"inputs": {}},
        {"inputs": [], "id": 7},
        {"inputs": [], "parameters": {}},
        {"inputs": [], "outputs": []},
        {"inputs": [None]},
        {"inputs": [{**DELAY, "parameters": None}]},
        {"inputs": [{name: value for name, value in DELAY.items() if name != "shape"}]},
        {"inputs": [{**DELAY, "name": 1}]},
        {"inputs": [{**DELAY, "datatype": "FLOAT"}]},
        {"inputs": [{**DELAY, "datatype": []}]},
        {"inputs": [{**DELAY, "shape": ["1"]}]},
        {"inputs": [{**DELAY, "shape": [True]}]},
        {"inputs": [{**DELAY, "shape": 1}]},
        {"inputs": [{**DELAY, "data": 1.5}]},
    ],
)
def test_what_is_not_plain_is_left_to_who_reads_all_of_the_protocol(content: Any) -> None:
    assert read(content) is None


@pytest.mark.parametrize("shape", [[], [2, 2], [1, 0], [2, 1, 1], [1] * 50_000, ["x" * 9_000, "y"], [{}] * 9])
def test_another_shape_than_rows_is_refused_in_a_short_message(shape: list[Any]) -> None:
    with pytest.raises(Refusal) as caught:
        check_shape("n" * 200, shape)
    assert str(caught.value).startswith("wrong_shape: 'nnn") and len(str(caught.value)) < 400
    check_shape("n", [7])
    check_shape("n", [7, 1])


@pytest.mark.parametrize(
    ("datatype", "value"),
    [("INT8", 128), ("INT8", -129), ("UINT8", -1), ("UINT8", 256), ("INT16", 2**15), ("UINT16", -1), ("INT32", 2**31), ("UINT32", 2**32), ("UINT64", -1), ("INT8", 1e9)],
)  # fmt: skip
def test_a_number_that_its_datatype_does_not_have_is_refused_with_its_row(datatype: str, value: float) -> None:
    for values in ([0, None, value], np.array([0, 1, value])):
        with pytest.raises(Refusal, match=f"'n', row 2: .* is not of its datatype {datatype}"):
            check_range("n", datatype, values)
    check_range("n", datatype, [0, 127, None, "x"])
    check_range("n", datatype, np.array([0, 127]))
    check_range("n", datatype, [])
    check_range("n", "FP32", [1e300])


def test_an_answer_holds_numbers_and_texts_in_their_shapes() -> None:
    outputs = {"probabilities": np.full((2, 2), 0.5, np.float32), "class": np.array(["a", "b"], dtype=object)}
    record = json.loads(write_answer("tiny", "3", "mine", outputs))
    assert (record["model_name"], record["model_version"], record["id"]) == ("tiny", "3", "mine")
    assert record["outputs"] == [
        {"name": "probabilities", "shape": [2, 2], "datatype": "FP32", "data": [0.5, 0.5, 0.5, 0.5]},
        {"name": "class", "shape": [2], "datatype": "BYTES", "data": ["a", "b"]},
    ]
    assert "model_version" not in json.loads(write_answer("tiny", None, "mine", outputs))


@pytest.mark.parametrize("changed", [{}, {"delay": [None]}, {"month": ["6"]}, {"month": [6, 7]}, {"noise": [1e300]}])
def test_both_ways_answer_and_refuse_alike(server: Running, changed: dict[str, list[Any]]) -> None:
    inputs = [{**item, "data": changed.get(item["name"], item["data"])} for item in ROW]
    short = ask(f"{server.url}/infer", {"id": "mine", "inputs": inputs})
    assert short == ask(f"{server.url}/infer", {"id": "mine", "inputs": inputs, "parameters": {}})
    assert short == ask(f"{server.url}/versions/3/infer", {"id": "mine", "inputs": inputs})


def test_gzip_and_a_version_that_is_not_there_take_the_long_way(server: Running) -> None:
    body = json.dumps({"inputs": ROW}).encode()
    url = urlsplit(server.url)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=120)
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    connection.request("POST", f"{url.path}/infer", gzip.compress(body), headers)
    assert connection.getresponse().status == 200
    connection.close()
    assert ask(f"{server.url}/versions/4/infer", body)[0] == 404
