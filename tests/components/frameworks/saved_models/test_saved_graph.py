"""A SavedModel that reads or writes files of its own choice is refused before it is loaded; one that does not is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from components._core.errors import ModelError
from components._core.types.artifact_files import SAVED_MODEL
from components._frameworks.protobuf_fields import Message
from components._frameworks.saved_models.saved_graph import check_saved_model, find_misuses
from components._frameworks.table import load_model
from tests.components.tiny_models import write_model

UPGRADE = Path(__file__).parents[3] / "upgrade"
Body = Callable[[tf.Tensor, Path], Any]


def save(folder: Path, body: Body, **held: Any) -> Path:
    """A SavedModel whose serving function does something with the text that it is given."""
    module = tf.Module()
    for name, value in held.items():
        setattr(module, name, value)
    module.weight = tf.Variable(1.0)

    def serve(x: tf.Tensor) -> dict[str, tf.Tensor]:
        done = body(x, folder)
        with tf.control_dependencies([done] if done is not None else []):
            return {"prediction": tf.fill([tf.size(x)], module.weight)}

    serving = tf.function(serve, autograph=False).get_concrete_function(tf.TensorSpec([None], tf.string, "x"))
    tf.saved_model.save(module, str(folder / "made"), signatures={"serving_default": serving})
    return folder / "made"


def nested(x: tf.Tensor, _: Path) -> tf.Tensor:
    @tf.function
    def inner(y: tf.Tensor) -> tf.Tensor:
        return tf.cond(tf.size(y) > 3, lambda: tf.io.read_file(y[0]), lambda: tf.constant(""))

    return inner(x)


def in_a_loop(x: tf.Tensor, _: Path) -> tf.Tensor:
    return tf.map_fn(tf.io.read_file, x)


def over_a_dataset(dataset: Callable[[tf.Tensor], Any]) -> Body:
    return lambda x, _: dataset(x).reduce(tf.constant(0, tf.int64), lambda count, *_: count + 1)


MISUSES: dict[str, tuple[Body, str]] = {
    "a read": (lambda x, _: tf.io.read_file("/etc/hostname"), "ReadFile"),
    "a read by name": (lambda x, _: tf.io.read_file(x[0]), "ReadFile"),
    "a write": (lambda x, folder: tf.io.write_file(str(folder / "w"), x[0]), "WriteFile"),
    "a listing": (lambda x, _: tf.io.matching_files("/etc/*"), "MatchingFiles"),
    "a function in a branch": (nested, "ReadFile"),
    "a loop": (in_a_loop, "ReadFile"),
    "a print to a file": (lambda x, _: tf.print(x, output_stream="file:///tmp/naru-test-print"), "PrintV2"),
    "Python": (lambda x, _: tf.py_function(lambda y: y, [x], tf.string), "EagerPyFunc"),
    "NumPy": (lambda x, _: tf.numpy_function(lambda y: y, [x], tf.string), "PyFunc"),
    "a checkpoint written": (
        lambda x, _: tf.raw_ops.SaveV2(prefix=x[0], tensor_names=["a"], shape_and_slices=[""], tensors=[x]),
        "SaveV2",
    ),
    "a checkpoint read": (
        lambda x, _: tf.raw_ops.RestoreV2(prefix=x[0], tensor_names=["a"], shape_and_slices=[""], dtypes=[tf.string])[
            0
        ],
        "RestoreV2",
    ),
    "an old save": (lambda x, _: tf.raw_ops.Save(filename=x[0], tensor_names=["a"], data=[x]), "Save"),
    "TFRecords": (over_a_dataset(tf.data.TFRecordDataset), "TFRecordDataset"),
    "text lines": (over_a_dataset(tf.data.TextLineDataset), "TextLineDataset"),
    "records": (over_a_dataset(lambda x: tf.data.FixedLengthRecordDataset(x, 8)), "FixedLengthRecordDataset"),
    "a cache": (
        over_a_dataset(lambda x: tf.data.Dataset.from_tensors(x).cache("/tmp/naru-test-cache")),
        "CacheDataset",
    ),
    "a table": (
        lambda x, _: tf.raw_ops.InitializeTableFromTextFileV2(
            table_handle=tf.raw_ops.HashTableV2(key_dtype=tf.string, value_dtype=tf.int64, shared_name="t"),
            filename="/etc/hostname",
            key_index=-2,
            value_index=-1,
        ),
        "InitializeTableFromTextFileV2",
    ),
}


@pytest.mark.parametrize("kind", MISUSES)
def test_what_reaches_beyond_the_model_is_refused_by_name(kind: str, tmp_path: Path) -> None:
    body, operation = MISUSES[kind]
    made = save(tmp_path, body)
    assert any(misuse.operation.startswith(operation) for misuse in find_misuses(made))
    with pytest.raises(ModelError, match="is not loaded: its ") as error:
        check_saved_model(made)
    assert error.value.where.endswith("saved_model.pb") and error.value.remedy


def table(folder: Path) -> Any:
    (folder / "words").write_text("UA\nAA\n")
    initializer = tf.lookup.TextFileInitializer(
        str(folder / "words"),
        tf.string,
        tf.lookup.TextFileIndex.WHOLE_LINE,
        tf.int64,
        tf.lookup.TextFileIndex.LINE_NUMBER,
    )
    return tf.lookup.StaticVocabularyTable(initializer, 2)


def test_a_vocabulary_of_its_own_variables_and_prints_are_served(tmp_path: Path) -> None:
    words = table(tmp_path)

    def body(x: tf.Tensor, _: Path) -> tf.Tensor:
        with tf.control_dependencies([tf.print("seen", x)]):
            return words.lookup(x)

    assert find_misuses(save(tmp_path, body, words=words)) == []


def test_a_cache_in_memory_is_served(tmp_path: Path) -> None:
    body = over_a_dataset(lambda x: tf.data.Dataset.from_tensor_slices(x).cache())
    assert find_misuses(save(tmp_path, body)) == []


def test_models_of_an_earlier_naru_are_served() -> None:
    found = list(UPGRADE.rglob("saved_model.pb"))
    assert found
    assert [misuse for file in found for misuse in find_misuses(file.parent)] == []


def test_an_asset_outside_the_model_is_refused(tmp_path: Path) -> None:
    words = table(tmp_path)
    made = save(tmp_path, lambda x, _: words.lookup(x), words=words)
    graph = made / "saved_model.pb"
    for path in (b"../..", b"/root"):  # as long as the name that it stands for
        graph.write_bytes(graph.read_bytes().replace(b"\x12\x05words", b"\x12\x05" + path))
        with pytest.raises(ModelError, match="lies outside the model's own assets"):
            check_saved_model(made)
        graph.write_bytes(graph.read_bytes().replace(b"\x12\x05" + path, b"\x12\x05words"))
    check_saved_model(made)


@pytest.mark.parametrize("name", ["saved_model.pbtxt", "saved_model.cpb"])
def test_another_form_of_the_graph_beside_it_is_refused(name: str, tmp_path: Path) -> None:
    model = write_model(tmp_path, "regression")
    (model / SAVED_MODEL / name).write_bytes(b"")
    with pytest.raises(ModelError, match=f"is not loaded: {name} beside"):
        load_model(model)


def test_a_hostile_model_is_not_run_when_it_is_loaded(tmp_path: Path) -> None:
    model = write_model(tmp_path, "regression")
    graph = model / SAVED_MODEL / "saved_model.pb"
    graph.write_bytes(graph.read_bytes().replace(b"\x08Identity", b"\x08ReadFile"))
    with pytest.raises(ModelError, match=r"its ReadFile \(.*\) reads or writes files"):
        load_model(model)


def test_bytes_that_are_no_message_are_reported(tmp_path: Path) -> None:
    whole = next(iter(UPGRADE.rglob("saved_model.pb"))).read_bytes()
    for damaged in (b"\x0a", b"\x0b\x01", b"\xff" * 12, whole[:-1], whole[: len(whole) // 2]):
        (tmp_path / "saved_model.pb").write_bytes(damaged)
        with pytest.raises(ModelError, match="does not load: ValueError"):
            find_misuses(tmp_path)


def test_fields_that_stand_twice_count_as_in_protocol_buffers() -> None:
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    one, other = SavedModel(saved_model_schema_version=1), SavedModel(saved_model_schema_version=300)
    one.meta_graphs.add().graph_def.node.add(name="a", op="Const")
    other.meta_graphs.add().graph_def.node.add(name="b", op="Const", input=["a", "^a"])
    message = Message(one.SerializeToString() + other.SerializeToString())
    assert message.number(1) == 300
    nodes = [graph.message(2).messages(1)[0] for graph in message.messages(2)]
    assert [node.text(1) for node in nodes] == ["a", "b"]
    assert nodes[1].texts(3) == ["a", "^a"]
    graph = one.meta_graphs[0].graph_def.SerializeToString()
    merged = Message(b"\x12" + bytes([len(graph)]) + graph + b"\x12" + bytes([len(graph)]) + graph)
    assert len(merged.message(2).messages(1)) == 2
