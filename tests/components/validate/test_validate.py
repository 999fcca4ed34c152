from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from components._core.checks import Outcome
from components._core.errors import ConfigError
from components._core.examples.artifact import Manifest
from components._core.examples.label_origin import LabelOrigin
from components._core.files import hash_file
from components._core.report.page import Page
from components._core.store.ledger import Deployment
from components._core.types.signature import Feature, read_features

REVIEWED = """
feature { name: "delay" type: FLOAT presence { min_fraction: 1 } }
feature { name: "distance" type: INT presence { min_fraction: 1 } int_domain { min: 0 max: 3000 } }
feature { name: "carrier" type: BYTES presence { min_fraction: 1 } domain: "carrier" }
feature { name: "late" type: INT presence { min_fraction: 1 } }
string_domain { name: "carrier" value: "AA" value: "B6" value: "UA" }
"""


@pytest.mark.usefixtures("every_figure")
def test_clean_data_passes_and_missing_comparisons_are_reported(validate, three):
    done = validate(three())
    assert done.outcome.verdict == "warn"
    statuses = {check.name: check.status for check in done.outcome.checks}
    assert statuses == {
        "anomalies": "pass",
        "reviewed schema": "no_baseline",
        "split sizes": "pass",
        "rows in two splits": "pass",
        "near duplicates in two splits": "pass",
        "time overlap": "skipped",
        "drift against the earlier spans": "no_baseline",
        "drift against the champion's data": "no_baseline",
    }


def test_copies_of_training_rows_in_other_splits_are_a_warning_and_the_policy_can_block(validate, write, project):
    rows = {"delay": [float(number) for number in range(200)], "late": [number % 2 for number in range(200)]}
    copies = {"delay": [1.0, 2.0, 300.0], "late": [1, 1, 0]}  # one with the other label
    examples = write({"train": rows, "eval": {"delay": [301.0], "late": [1]}, "test": copies})
    check = validate(examples).check("rows in two splits")
    assert (check.status, check.measured, check.n) == ("warn", 0.5, 4)
    blocked = validate(examples, project(gates__data__anomalies={"rows_in_two_splits": "fail"}), to="blocked")
    assert blocked.outcome.verdict == "blocked" and "2 of 4 eval and test rows" in blocked.outcome.reason


def test_every_artifact_is_written_and_reads_back(validate, three):
    done = validate(three())
    assert Outcome.load(done.folder / "validation" / "outcome.json") == done.outcome
    assert Page.load(done.folder / "validation").stage == "validate"
    assert "carrier" in (done.folder / "page.html").read_text(encoding="utf-8")


@pytest.mark.usefixtures("every_figure")
def test_the_same_examples_give_the_same_bytes(validate, three):
    examples = three()
    first, second = validate(examples, to="first"), validate(examples, to="second")
    files = sorted(path.relative_to(first.folder) for path in first.folder.rglob("*.*"))
    assert [hash_file(first.folder / path) for path in files] == [hash_file(second.folder / path) for path in files]


def test_the_inferred_schema_types_the_models_inputs(validate, three):
    def with_gaps(columns):
        return columns | {"distance": [None, *columns["distance"][1:]]}

    done = validate(three(with_gaps))
    features = read_features(done.folder / "schema" / "schema.pbtxt", {"late"})
    assert features == (
        Feature("delay", "float32", False),
        Feature("distance", "float32", True),
        Feature("carrier", "string", False),
    )


def test_a_value_missing_only_outside_train_makes_the_column_nullable(validate, write, table):
    late = table(60, 2) | {"carrier": [None, *table(60, 2)["carrier"][1:]]}
    done = validate(write({"train": table(300, 1), "eval": late, "test": table(60, 3)}))
    nullable = {
        feature.name for feature in read_features(done.folder / "schema" / "schema.pbtxt", set()) if feature.nullable
    }
    assert nullable == {"carrier"}
    assert done.outcome.verdict != "blocked"


def test_excluded_columns_leave_schema_and_statistics(validate, three, project):
    done = validate(three(), project(data__exclude=["distance"]), schema=REVIEWED)
    assert "distance" not in done.schema
    assert b"distance" not in (done.folder / "statistics" / "statistics.binpb").read_bytes()
    assert done.check("anomalies").status == "pass"


def test_data_that_conforms_to_the_reviewed_schema_asks_for_no_change(validate, three):
    assert validate(three(), schema=REVIEWED).check("reviewed schema").status == "pass"


def test_a_missing_required_feature_blocks_the_run(validate, three):
    def without(columns):
        return {name: values for name, values in columns.items() if name != "distance"}

    done = validate(three(without), schema=REVIEWED)
    assert done.outcome.verdict == "blocked"
    assert "distance is in the schema and not in the data" in done.outcome.reason


def test_a_missing_column_that_the_policy_lets_pass_leaves_the_schema(validate, three, project):
    def without(columns):
        return {name: values for name, values in columns.items() if name != "distance"}

    done = validate(three(without), project(gates__data__anomalies={"missing_column": "warn"}), schema=REVIEWED)
    assert done.check("missing_column: distance").status == "warn"
    assert "distance" not in done.schema


def test_a_column_that_turns_to_text_blocks_the_run(validate, three):
    done = validate(three(lambda columns: columns | {"distance": ["far"] * len(columns["late"])}), schema=REVIEWED)
    assert done.check("wrong_type: distance").status == "fail"
    assert "distance is string; the schema says int64" in done.outcome.reason


def test_whole_numbers_where_the_schema_has_real_ones_are_not_an_anomaly(validate, three):
    done = validate(three(lambda columns: columns | {"delay": list(range(len(columns["late"])))}), schema=REVIEWED)
    assert done.check("anomalies").status == "pass"


def test_a_new_column_warns_and_is_proposed_as_a_diff(validate, three):
    done = validate(
        three(lambda columns: columns | {"gate": ["A1", "B2"] * (len(columns["late"]) // 2)}), schema=REVIEWED
    )
    assert done.check("new_column: gate").status == "warn"
    assert 'name: "gate"' not in done.schema
    diffs = [block.content for block in Page.load(done.folder / "validation").blocks if block.kind == "code"]
    assert '+  name: "gate"' in diffs[0]


def test_a_required_value_that_is_missing_blocks_and_says_how_many(validate, three):
    done = validate(
        three(lambda columns: columns | {"carrier": [None, None, *columns["carrier"][2:]]}), schema=REVIEWED
    )
    check = done.check("missing_values: carrier in train")
    assert (check.status, check.measured, check.n) == ("fail", 2, 300)


def test_missing_values_that_the_policy_lets_pass_make_the_column_nullable(validate, three, project):
    gaps = three(lambda columns: columns | {"distance": [None, *columns["distance"][1:]]})
    done = validate(gaps, project(gates__data__anomalies={"missing_values": "ignore"}), schema=REVIEWED)
    assert done.check("missing_values: distance in train").status == "skipped"
    features = {feature.name: feature for feature in read_features(done.folder / "schema" / "schema.pbtxt", set())}
    assert features["distance"] == Feature("distance", "float32", True)


def test_a_text_that_the_schema_does_not_list_warns_and_is_named(validate, three):
    done = validate(three(lambda columns: columns | {"carrier": ["ZZ", *columns["carrier"][1:]]}), schema=REVIEWED)
    check = done.check("unexpected_value: carrier in train")
    assert check.status == "warn"
    assert "ZZ" in check.reason


def test_a_number_out_of_the_schemas_range_blocks(validate, three):
    done = validate(three(lambda columns: columns | {"distance": [9000, *columns["distance"][1:]]}), schema=REVIEWED)
    assert done.check("out_of_range: distance in train").status == "fail"


def test_infinite_values_block_and_are_counted(validate, three):
    done = validate(three(lambda columns: columns | {"delay": [float("inf"), float("-inf"), *columns["delay"][2:]]}))
    check = done.check("infinite_values: delay")
    assert (check.status, check.measured) == ("fail", 6)


def test_nan_counts_as_missing(validate, three):
    done = validate(three(lambda columns: columns | {"delay": [float("nan"), *columns["delay"][1:]]}))
    assert done.outcome.verdict == "warn"
    assert read_features(done.folder / "schema" / "schema.pbtxt", set())[0] == Feature("delay", "float32", True)


def test_an_empty_split_blocks_and_is_named(validate, write, table):
    empty = {name: values[:0] for name, values in table(1, 1).items()}
    kinds = {"delay": pa.float32(), "distance": pa.int64(), "carrier": pa.string(), "late": pa.int64()}
    done = validate(write({"train": table(300, 1), "eval": table(60, 2), "test": empty}, **kinds))
    assert done.check("empty_split: test").status == "fail"
    assert "test has no rows" in done.outcome.reason


def test_a_single_row_blocks_without_an_accident(validate, write, table):
    done = validate(write({"train": table(1, 1)}))
    assert done.outcome.verdict == "blocked"
    assert "eval has no rows" in done.outcome.reason
    assert (done.folder / "page.html").exists()


def test_no_row_at_all_blocks_without_an_accident(validate, write):
    empty = {"delay": [], "late": []}
    done = validate(write({"train": empty}, delay=pa.float32(), late=pa.int64()))
    assert "train has no rows" in done.outcome.reason


def test_columns_that_teach_nothing_warn(validate, three):
    def dull(columns):
        rows = len(columns["late"])
        empty = [None] * rows
        return columns | {
            "year": [2013] * rows,
            "note": ["x", *empty[1:]],
            "empty": empty,
            "again": columns["distance"],
        }

    done = validate(three(dull, note=pa.string(), empty=pa.string()))
    record = {check.name: check.status for check in done.outcome.checks if ": " in check.name}
    assert record == {
        "constant_feature: year": "warn",
        "mostly_missing: note": "warn",
        "mostly_missing: empty": "warn",
        "duplicated_column: again": "warn",
    }


def test_an_unknown_kind_in_the_policy_is_reported_with_what_is_allowed(validate, three, project):
    with pytest.raises(ConfigError, match=r"gates.data.anomalies: unknown kind 'new_colum'; did you mean 'new_column'"):
        validate(three(), project(gates__data__anomalies={"new_colum": "warn"}))


def test_a_schema_that_does_not_parse_is_reported_with_its_line(validate, three):
    with pytest.raises(ConfigError, match=r"schema.pbtxt: is not a schema: 2:\d+"):
        validate(three(), schema='feature { name: "a" type: INT }\nfeatur { }\n')


def test_drift_between_spans_names_feature_numbers_and_ranges(validate, write, table):
    train = {1: table(300, 1), 2: table(300, 2), 3: table(300, 3, delay=90.0)}
    done = validate(write({"train": train, "eval": {3: table(60, 4)}, "test": {3: table(60, 5)}}))
    check = done.check("drift against the earlier spans: delay")
    assert check.status == "warn"
    assert check.measured > check.threshold == 0.1
    assert "Jensen-Shannon divergence" in check.reason
    assert "mean 8.437 then, mean 90.99 now" in check.reason
    assert done.check("drift against the earlier spans").status == "pass"


def test_drift_blocks_where_the_project_says_so(validate, write, table, project):
    train = {1: table(300, 1), 2: table(300, 2, delay=90.0)}
    done = validate(
        write({"train": train, "eval": {2: table(60, 4)}, "test": {2: table(60, 5)}}),
        project(gates__data__drift_severity="fail"),
    )
    assert done.outcome.verdict == "blocked"


def test_few_rows_are_not_judged_for_drift(validate, write, table):
    train = {1: table(300, 1), 2: table(40, 2, delay=90.0)}
    done = validate(write({"train": train, "eval": {2: table(60, 4)}, "test": {2: table(60, 5)}}))
    check = done.check("drift against the earlier spans")
    assert (check.status, check.n) == ("skipped", 40)


def test_a_column_that_follows_the_span_is_not_drift(validate, write, table):
    train = {month: table(200, month) | {"month": [month] * 200} for month in (1, 2, 3)}
    held_out = {3: table(60, 9) | {"month": [3] * 60}}
    done = validate(write({"train": train, "eval": held_out, "test": held_out}))
    check = done.check("drift against the earlier spans: follows the span")
    assert check.status == "skipped"
    assert check.reason.startswith("month follows the span")


def _deployment(statistics: Path) -> str:
    fields = {
        "version": "3",
        "model": "m",
        "schema": "s",
        "metrics": {},
        "fingerprint": "f",
        "run": "r",
        "at": "t",
        "by": "b",
    }
    return json.dumps(asdict(Deployment(**fields, statistics=str(statistics), why="test")))


def test_drift_is_measured_against_the_champions_statistics(validate, three, write, table):
    champion = validate(three(), to="champion").folder / "statistics"
    now = {"train": table(300, 7, delay=90.0), "eval": table(60, 2), "test": table(60, 3)}
    done = validate(write(now, to="later"), champion=_deployment(champion))
    assert done.check("drift against the data of champion 3: delay").status == "warn"


def test_a_champion_without_statistics_is_reported_as_no_baseline(validate, three, tmp_path):
    done = validate(three(), champion=_deployment(tmp_path / "gone"))
    check = done.check("drift against the data of champion 3")
    assert check.status == "no_baseline"
    assert "are missing" in check.reason


def test_a_champion_that_is_not_a_deployment_is_a_config_error(validate, three):
    with pytest.raises(ConfigError, match="parameter champion"):
        validate(three(), champion='{"version": "1"}')


def test_a_wide_table_stays_usable(validate, write):
    random = np.random.default_rng(0)
    columns = {f"c{place}": random.normal(size=50).tolist() for place in range(210)} | {"late": [0, 1] * 25}
    done = validate(write({"train": columns, "eval": columns, "test": columns}))
    blocks = Page.load(done.folder / "validation").blocks
    assert sum(block.kind == "figure" for block in blocks) <= 25
    features = next(block for block in blocks if block.title == "Columns")
    assert features.folded
    assert len(features.content["rows"]) == 200


def test_labels_whose_annotators_agree_too_little_block_the_run(validate, three, project):
    examples = three()
    agreement = {"alpha": 0.41, "low": 0.3, "high": 0.5, "items": 80}
    manifest = replace(Manifest.load(examples), labels=LabelOrigin(420, 1, {"ann": 420}, agreement=agreement))
    labels = {"classes": ["0", "1"], "min_alpha": 0.667}

    unknown = validate(examples, project(labels=labels), to="unknown")
    manifest.save(examples)
    blocked = validate(examples, project(labels=labels))

    assert unknown.check("label agreement").status == "no_baseline"
    assert unknown.outcome.verdict == "warn"
    assert blocked.outcome.verdict == "blocked"
    assert "alpha 0.410 (0.300 to 0.500) on 80 items is below labels.min_alpha, 0.667" in blocked.outcome.reason
