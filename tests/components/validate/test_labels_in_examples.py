from __future__ import annotations

import pyarrow as pa


def test_a_label_column_that_is_not_there_blocks_and_the_columns_are_named(validate, three):
    def without(columns):
        return {name: values for name, values in columns.items() if name != "late"}

    done = validate(three(without))
    assert done.outcome.verdict == "blocked"
    assert "there is no column 'late' to predict; the table has delay, distance, carrier" in done.outcome.reason


def test_a_label_with_missing_values_blocks_and_says_how_many(validate, three):
    done = validate(three(lambda columns: columns | {"late": [None, *columns["late"][1:]]}))
    check = done.check("label_missing: late in train")
    assert (check.status, check.measured, check.n) == ("fail", 1, 300)


def test_a_label_of_real_numbers_counts_as_whole_ones(validate, three, project):
    done = validate(three(late=pa.float32()), project(positive=1))
    assert done.check("anomalies").status == "pass"


def test_a_label_with_one_value_blocks(validate, three):
    done = validate(three(lambda columns: columns | {"late": [0] * len(columns["late"])}))
    assert done.check("label_values: late").status == "fail"
