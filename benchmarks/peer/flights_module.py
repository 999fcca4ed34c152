"""The flights example, written as a TFX module: the same features, model, batches and steps as examples/flights.

It follows TFX's own Keras examples. Runs in the peer's environment.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tensorflow_transform as tft
from tensorflow import keras
from tfx.v1.components import FnArgs
from tfx_bsl.public import tfxio

NUMBERS = ["dep_delay", "distance", "sched_dep_time", "sched_arr_time", "day"]
CATEGORIES = ["carrier", "origin", "dest"]
CALENDAR = {"month": 13, "hour": 24}
LABEL = "late"


def preprocessing_fn(inputs: dict[str, Any]) -> dict[str, Any]:
    """As examples/flights/preprocessing.py; TFX hands over columns as [rows, 1], and the label is among them."""
    outputs = {name: tft.scale_to_z_score(tf.cast(inputs[name], tf.float32)) for name in NUMBERS}
    for name in CATEGORIES:
        outputs[name] = tft.compute_and_apply_vocabulary(inputs[name], num_oov_buckets=1, vocab_filename=name)
    for name, bound in CALENDAR.items():
        outputs[name] = tf.clip_by_value(inputs[name], 0, bound - 1)
    outputs[LABEL] = inputs[LABEL]
    return outputs


def build_model(transform: tft.TFTransformOutput, settings: dict[str, Any]) -> keras.Model:
    """As examples/flights/model.py."""
    inputs = {name: keras.Input((1,), dtype=tf.float32, name=name) for name in NUMBERS}
    parts = list(inputs.values())
    sizes = {name: transform.vocabulary_size_by_name(name) + 1 for name in CATEGORIES} | CALENDAR
    for name, size in sizes.items():
        inputs[name] = keras.Input((1,), dtype=tf.int64, name=name)
        embedded = keras.layers.Embedding(size, settings["embedding"])(inputs[name])
        parts.append(keras.layers.Flatten()(embedded))
    hidden = keras.layers.Concatenate()(parts)
    for units in (64, 32):
        hidden = keras.layers.Dense(units, activation="relu")(hidden)
    model = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(hidden))
    optimizer = keras.optimizers.Adam(settings["learning_rate"])
    model.compile(optimizer, loss="binary_crossentropy", metrics=[keras.metrics.AUC(name="auc")])
    return model


def run_fn(fn_args: FnArgs) -> None:
    """Called by the Trainer."""
    settings = fn_args.custom_config
    keras.utils.set_random_seed(settings["seed"])
    transform = tft.TFTransformOutput(fn_args.transform_output)
    model = build_model(transform, settings)
    model.fit(
        _rows(fn_args, fn_args.train_files, transform, settings["batch_size"], shuffle=True),
        steps_per_epoch=fn_args.train_steps,
        validation_data=_rows(fn_args, fn_args.eval_files, transform, settings["batch_size"], shuffle=False),
        validation_steps=fn_args.eval_steps,
        verbose=0,
    )
    _save(model, transform, fn_args.serving_model_dir)


def _rows(fn_args: FnArgs, files: list[str], transform: tft.TFTransformOutput, size: int, *, shuffle: bool) -> Any:
    options = tfxio.TensorFlowDatasetOptions(batch_size=size, label_key=LABEL, shuffle=shuffle)
    return fn_args.data_accessor.tf_dataset_factory(files, options, transform.transformed_metadata.schema).repeat()


def _save(model: keras.Model, transform: tft.TFTransformOutput, folder: str) -> None:
    model.transform_layer = transform.transform_features_layer()
    specs = transform.raw_feature_spec()
    specs.pop(LABEL)

    def answer(serialized: Any) -> dict[str, Any]:
        return {"probability": model(model.transform_layer(tf.io.parse_example(serialized, specs)))}

    signature = tf.function(answer, input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    model.save(folder, save_format="tf", signatures={"serving_default": signature})
