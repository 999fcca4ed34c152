"""Pictures and masked texts through a real server: HTTP and gRPC, in every form, refused with a reason, and what the log has of them."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import tensorflow as tf
from mlserver.grpc import dataplane_pb2 as pb
from mlserver.grpc.dataplane_pb2_grpc import GRPCInferenceServiceStub
from PIL import Image

from components._core.pictures.canonical import to_canonical
from components._core.types.artifact_files import SAVED_MODEL
from components._core.types.contents import PICTURE, TEXT
from components._core.types.signature import Feature, Signature
from components.deploy.targets.local.server_process import free_port
from tests.components.predictor.test_border import encode, png_header
from tests.components.serve.conftest import Running, ready_url, start
from tests.components.serve.test_mlserver_runtime import ask, tensor

pytestmark = pytest.mark.slow


class _Brightness(tf.Module):
    """Answers the mean of a picture's pixels, and the length of a text."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.string, "photo"),
            tf.TensorSpec([None], tf.string, "note"),
        ]
    )
    def serve(self, photo: tf.Tensor, note: tf.Tensor) -> dict[str, tf.Tensor]:
        mean = tf.map_fn(_mean, photo, fn_output_signature=tf.float32)
        return {"prediction": mean + 1000.0 * tf.cast(tf.strings.length(note), tf.float32)}


def _mean(text: tf.Tensor) -> tf.Tensor:
    picture = tf.io.decode_image(tf.io.decode_base64(text), channels=3, expand_animations=False)
    return tf.reduce_mean(tf.cast(picture, tf.float32))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    model, log = tmp_path_factory.mktemp("model"), tmp_path_factory.mktemp("log")
    module = _Brightness()
    tf.saved_model.save(module, str(model / SAVED_MODEL), signatures={"serving_default": module.serve})
    features = (Feature("photo", "string", False, PICTURE), Feature("note", "string", True, TEXT, ("mail",)))
    Signature("regression", features, {"prediction": "float32"}, ()).save(model)
    port, grpc_port = free_port(), free_port()
    options = ["--grpc-port", str(grpc_port), "--log", str(log), "--log-flush-seconds", "0.2"]
    process = start(model, *options, port=port)
    yield Running(ready_url(process), f"127.0.0.1:{grpc_port}", "", log, process.pid)
    process.terminate()
    process.communicate(timeout=120)


def brightness(data: bytes) -> float:
    """The mean of what the model sees, as Pillow decodes it."""
    image = Image.open(io.BytesIO(to_canonical(data)))
    return float(np.asarray(image.convert("RGB"), np.float64).mean())


def infer(server: Running, value: str, note: str | None = None, **more: Any) -> tuple[int, Any]:
    inputs = [tensor("photo", "BYTES", value), tensor("note", "BYTES", note)]
    return ask(f"{server.url}/infer", {"inputs": inputs, **more})


def logged(server: Running, request_id: str) -> dict[str, Any]:
    """The line of a request, once it is written."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        for path in Path(server.log).rglob("*.jsonl"):
            for line in path.read_text().splitlines():
                if json.loads(line).get("id") == request_id:
                    return dict(json.loads(line))
        time.sleep(0.1)
    pytest.fail("the request is not in the log")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP"])
@pytest.mark.parametrize("encoded", [base64.b64encode, base64.urlsafe_b64encode])
def test_a_picture_of_any_format_is_answered_over_http(server: Running, kind: str, encoded: Any) -> None:
    data = encode(kind, size=(40, 30))
    status, answer = infer(server, encoded(data).decode())
    assert status == 200, answer
    assert answer["outputs"][0]["data"][0] == pytest.approx(brightness(data), abs=2.0)  # of a JPEG, decoders differ


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("form", [bytes, base64.b64encode])
def test_binary_pictures_are_answered_over_grpc(server: Running, raw: bool, form: Any) -> None:
    data = encode("PNG", size=(40, 30))
    request = pb.ModelInferRequest(model_name="tiny")
    for name, value in (("photo", form(data)), ("note", b"")):
        given = request.inputs.add(name=name, datatype="BYTES", shape=[1])
        if raw:
            request.raw_input_contents.append(len(value).to_bytes(4, "little") + value)
        else:
            given.contents.bytes_contents.append(value)
    with grpc.insecure_channel(server.grpc) as channel:
        answer = GRPCInferenceServiceStub(channel).ModelInfer(request, timeout=60)
    found = (
        np.frombuffer(answer.raw_output_contents[0], "<f4")[0] if raw else answer.outputs[0].contents.fp32_contents[0]
    )
    assert found == pytest.approx(brightness(data), abs=0.01)


@pytest.mark.parametrize(
    ("data", "status", "message"),
    [
        (png_header(50_000, 50_000), 413, "picture_too_large: 'photo', row 0: the picture has 2,500,000,000 pixels"),
        (encode("JPEG", size=(64, 64))[:-200], 400, "bad_picture: 'photo', row 0: the picture is truncated"),
        (b"%PDF-1.7 is not a picture", 400, "bad_picture: 'photo', row 0: the picture is not a picture"),
    ],
)
def test_what_cannot_be_decoded_is_refused_with_the_reason(
    server: Running, data: bytes, status: int, message: str
) -> None:
    found, answer = infer(server, base64.b64encode(data).decode())
    assert found == status and answer["error"].startswith(message)
    assert "Traceback" not in json.dumps(answer)


def test_a_photograph_of_megabytes_fits_a_request(server: Running) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (1200, 1600, 3), np.uint8)
    written = io.BytesIO()
    Image.fromarray(noise).save(written, "PNG")
    data = written.getvalue()
    assert len(data) > 5 << 20
    status, answer = infer(server, base64.b64encode(data).decode())
    assert status == 200 and answer["outputs"][0]["data"][0] == pytest.approx(noise.mean(), abs=0.01)


def test_the_log_has_a_reference_and_measures_and_no_bytes(server: Running) -> None:
    time.sleep(0.5)  # after the pictures of other tests, so that this one is measured
    data = encode("WEBP", size=(40, 30), lossless=True)
    infer(server, base64.b64encode(data).decode(), id="reference")
    line = logged(server, "reference")
    assert line["inputs"]["photo"] is None and "photo" in line["masked"]
    assert line["pictures"]["photo"] == [{"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}]
    if "photo.width" not in line["masked"]:
        assert (line["inputs"]["photo.width"], line["inputs"]["photo.size"]) == ([40], [len(data)])


def test_personal_data_reaches_neither_the_model_nor_the_log(server: Running) -> None:
    data = encode("PNG")
    text = "ask kim.cheolsu@example.com"
    _, answer = infer(server, base64.b64encode(data).decode(), text, id="masked")
    assert answer["outputs"][0]["data"][0] == pytest.approx(1000 * len("ask [mail]") + brightness(data), abs=0.1)
    assert logged(server, "masked")["inputs"]["note"] == ["ask [mail]"]
