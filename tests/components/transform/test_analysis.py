"""The in-process evaluation must equal Beam's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft

from components._core.examples.artifact import read_batches, split_files
from components._core.types.signature import read_features, to_arrays
from components.transform.analysis import Traced, analyse
from components.transform.beam_analysis import analyse_with_beam
from components.transform.preprocessing_fn import Contract, Preprocessing, held_to_contract, input_specs
from tests.components.small_flights import Small


def one_phase(inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    delay = tf.cast(inputs["dep_delay"], tf.float32)
    return {
        "scaled": tft.scale_to_z_score(delay),
        "bucket": tft.bucketize(delay, 8),
        "dest": tft.compute_and_apply_vocabulary(inputs["dest"], top_k=20, num_oov_buckets=2),
    }


def two_phases(inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Analyzers of every supported kind; the last ones wait for the first."""
    delay = tf.cast(inputs["dep_delay"], tf.float32)
    pair = tf.stack([delay, tf.cast(inputs["distance"], tf.float32)], axis=1)
    return {
        "scaled": tft.scale_to_z_score(delay),
        "bounded": tft.scale_to_0_1(tft.scale_to_z_score(delay)),
        "bucket": tft.bucketize(delay, 8),
        "spread": pair @ tft.pca(pair, 2, tf.float32),
        "dest": tft.compute_and_apply_vocabulary(inputs["dest"], top_k=20, num_oov_buckets=2),
        "hour": tft.compute_and_apply_vocabulary(inputs["hour"], frequency_threshold=100),
        "again": tft.compute_and_apply_vocabulary(
            tf.strings.as_string(tft.compute_and_apply_vocabulary(inputs["carrier"])), vocab_filename="again"
        ),
    }


def weighted(inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    weights = tf.cast(inputs["distance"], tf.float32)
    return {"dest": tft.compute_and_apply_vocabulary(inputs["dest"], weights=weights)}


@pytest.fixture
def rows(small: Small) -> dict[str, np.ndarray]:
    features = read_features(small.path("schema") / "schema.pbtxt", {"late"})
    return to_arrays(next(read_batches(small.path("examples"), "train")), features)


def traced(small: Small, function: Preprocessing, scratch: Path) -> Traced:
    features = read_features(small.path("schema") / "schema.pbtxt", {"late"})
    return Traced(held_to_contract(function, Contract("preprocessing.py")), input_specs(features), scratch)


@pytest.mark.slow
def test_the_result_is_the_one_of_beam(small: Small, rows: dict[str, np.ndarray], tmp_path: Path):
    assert evaluated_both_ways(small, rows, one_phase, tmp_path) == 1


@pytest.mark.slow
def test_the_result_of_two_phases_is_the_one_of_beam(small: Small, rows: dict[str, np.ndarray], tmp_path: Path):
    assert evaluated_both_ways(small, rows, two_phases, tmp_path) == 2


def evaluated_both_ways(small: Small, rows: dict[str, np.ndarray], function: Preprocessing, folder: Path) -> int:
    features = read_features(small.path("schema") / "schema.pbtxt", {"late"})
    batches = [{name: tf.constant(part) for name, part in _slice(rows, start).items()} for start in (0, 2000, 4000)]
    once = traced(small, function, folder)
    assert once.supported()
    passes = analyse(once, lambda: iter(batches), folder / "here")
    files = split_files(small.path("examples"), "train")
    analyse_with_beam(
        held_to_contract(function, Contract("p.py")), features, files, folder / "beam", folder / "scratch"
    )
    here, beam = (_applied(folder / name, rows) for name in ("here", "beam"))
    assert sorted(here) == sorted(beam)
    for name in set(here) - {"bucket"}:
        # a principal component has no sign
        np.testing.assert_allclose(np.abs(here[name]), np.abs(beam[name]), rtol=2e-3, atol=2e-4, err_msg=name)
    assert np.mean(here["bucket"] == beam["bucket"]) > 0.95  # the bounds are approximate by design
    return passes


def test_what_exists_only_as_a_beam_transform_is_left_to_beam(small: Small, tmp_path: Path):
    assert not traced(small, weighted, tmp_path).supported()


def test_without_analyzers_no_row_is_read(small: Small, tmp_path: Path):
    function = traced(small, lambda inputs: {"hour": inputs["hour"]}, tmp_path)
    assert analyse(function, lambda: pytest.fail("rows were read"), tmp_path / "graph") == 0
    assert tft.TFTransformOutput(str(tmp_path / "graph")).transformed_feature_spec().keys() == {"hour"}


def _slice(rows: dict[str, np.ndarray], start: int) -> dict[str, np.ndarray]:
    return {name: values[start : start + 2000] for name, values in rows.items()}


def _applied(graph: Path, rows: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    restored = tf.saved_model.load(str(graph / "transform_fn"))
    outputs = restored.transform_fn({name: tf.constant(values) for name, values in rows.items()})
    return {name: tensor.numpy() for name, tensor in outputs.items()}
