from __future__ import annotations

import sys
from types import ModuleType

import numpy as np
import pyarrow as pa
import pytest
from tensorflow_data_validation.statistics.stats_impl import generate_statistics_in_memory
from tensorflow_data_validation.statistics.stats_options import StatsOptions

import components.validate
from components.validate import beam_statistics
from components.validate.partial_statistics import Accumulator, compute
from components.validate.statistics import CHECKED, Computed, Detail, by_name, parse, save
from components.validate.tfdv_columns import batch_rows, to_lists

_DETAIL = Detail(10, 10)


def _batch(**columns):
    arrays = [to_lists(pa.array(values)) for values in columns.values()]
    return pa.RecordBatch.from_arrays(arrays, names=list(columns))


def test_values_become_lists_of_one_and_missing_values_missing_lists():
    assert to_lists(pa.array([1, None, 3, None])).to_pylist() == [[1], None, [3], None]
    assert to_lists(pa.array(["a", "b"])).to_pylist() == [["a"], ["b"]]
    assert to_lists(pa.nulls(2, pa.string())).to_pylist() == [None, None]


def test_a_slice_of_a_column_becomes_the_lists_of_that_slice():
    assert to_lists(pa.array([1, 2, None, 4]).slice(1)).to_pylist() == [[2], None, [4]]


def test_the_values_of_a_full_column_are_shared_not_copied():
    column = pa.array(np.arange(1000))
    assert to_lists(column).values.buffers()[1].address == column.buffers()[1].address


def test_batch_by_batch_equals_tfdv_over_all_rows_at_once():
    random = np.random.default_rng(0)
    numbers, texts = random.normal(size=3000), random.choice(["a", "b", "c"], 3000)
    accumulator = Accumulator(["x", "s"], _DETAIL)
    for start in range(0, 3000, 500):
        accumulator.add(_batch(x=numbers[start : start + 500], s=texts[start : start + 500]))
    ours = by_name(accumulator.finish())
    options = StatsOptions(num_top_values=20, num_rank_histogram_buckets=1000, num_values_histogram_buckets=2)
    theirs = by_name(generate_statistics_in_memory(_batch(x=numbers, s=texts), options).datasets[0])
    assert ours["s"] == theirs["s"]
    assert ours["x"].num_stats.mean == pytest.approx(theirs["x"].num_stats.mean)
    assert ours["x"].num_stats.std_dev == pytest.approx(theirs["x"].num_stats.std_dev)
    assert (ours["x"].num_stats.min, ours["x"].num_stats.max) == (numbers.min(), numbers.max())


def test_merging_changes_neither_side():
    one, other = Accumulator(["x"], _DETAIL), Accumulator(["x"], _DETAIL)
    one.add(_batch(x=[1.0, 2.0]))
    other.add(_batch(x=[3.0]))
    both = one.merged(other, _DETAIL)
    assert [part.finish().num_examples for part in (both, one, other)] == [3, 2, 1]


def test_spans_are_separate_and_sum_up(write, table):
    train = {1: table(100, 1), 2: table(50, 2), 3: table(25, 3)}
    found = compute(write({"train": train}), {"delay": "float32", "late": "int64"}, [1, 2, 3])
    assert (found.train.num_examples, found.earlier.num_examples, found.newest.num_examples) == (175, 150, 25)
    assert [feature.path.step[0] for feature in found.train.features] == ["delay", "late"]


def test_a_column_that_one_span_lacks_counts_as_missing_there(write, table):
    second = {name: values for name, values in table(50, 2).items() if name != "carrier"}
    found = compute(write({"train": {1: table(100, 1), 2: second}}), {"carrier": "string"}, [1, 2])
    assert by_name(found.train)["carrier"].string_stats.common_stats.num_missing == 50


def test_statistics_read_back_and_nonsense_is_refused(tmp_path):
    accumulator = Accumulator(["x"], _DETAIL)
    accumulator.add(_batch(x=[1, 2]))
    statistics = accumulator.finish()
    save(statistics, tmp_path)
    assert parse((tmp_path / "statistics.binpb").read_bytes()) == statistics
    for nonsense in (b"", b"not statistics"):
        with pytest.raises(ValueError, match="no statistics"):
            parse(nonsense)


def test_wide_tables_are_read_in_smaller_batches():
    assert batch_rows(10) == 65_536
    assert batch_rows(1_000) == 16_000


def test_rows_that_are_only_checked_get_no_histogram_and_the_same_counts():
    accumulator = Accumulator(["x", "s"], CHECKED)
    accumulator.add(_batch(x=[1.0, None, 3.0], s=["a", "b", "a"]))
    found = by_name(accumulator.finish())
    assert not found["x"].num_stats.histograms
    assert found["x"].num_stats.common_stats.num_missing == 1
    assert found["s"].string_stats.unique == 2


@pytest.mark.slow
def test_tfdvs_public_interface_computes_the_same(write, table):
    random = np.random.default_rng(0)
    parts = {"train": {1: table(300, 1), 2: table(150, 2)}, "eval": table(60, 3), "test": table(60, 4)}
    for split in ("train", "eval"):
        columns = parts[split][2] if split == "train" else parts[split]
        columns["delay"] = [float(random.choice([value, np.inf, np.nan])) for value in columns["delay"]]
    types = {"delay": "float32", "late": "int64", "carrier": "string", "distance": "int64"}
    examples = write(parts)
    here, public = compute(examples, types, [1, 2]), beam_statistics.compute(examples, types, [1, 2])
    assert here.infinite == public.infinite and here.infinite["delay"] > 0
    for ours, theirs in zip(_sets(here), _sets(public), strict=True):
        assert ours.num_examples == theirs.num_examples
        assert [_plain(feature) for feature in ours.features] == [_plain(feature) for feature in theirs.features]


def test_without_a_private_name_the_public_interface_is_used_and_a_warning_says_so(three, validate, monkeypatch):
    lacking = "tensorflow_data_validation.types"  # TFDV itself has imported what it needs of it
    monkeypatch.setitem(sys.modules, lacking, ModuleType(lacking))
    monkeypatch.delitem(sys.modules, "components.validate.partial_statistics")
    monkeypatch.delattr(components.validate, "partial_statistics")
    monkeypatch.setattr(beam_statistics, "compute", lambda *given: used.append(given) or compute(*given))
    used = []
    check = validate(three()).check("private names")
    assert used and check.status == "warn"
    assert "'PerFeatureStatsConfig'" in check.reason and "computed with Beam" in check.reason


def _sets(computed: Computed):
    return [computed.train, computed.newest, computed.earlier, *computed.held_out.values()]


def _plain(feature):
    """Without histograms and median, which are approximate, and which the public options cannot leave out."""
    plain = type(feature)()
    plain.CopyFrom(feature)
    stats = plain.string_stats if plain.HasField("string_stats") else plain.num_stats
    stats.common_stats.ClearField("num_values_histogram")
    if plain.HasField("num_stats"):
        stats.ClearField("histograms")
        stats.ClearField("median")
        stats.std_dev = round(stats.std_dev, 9)
        stats.mean = round(stats.mean, 9)
    return plain
