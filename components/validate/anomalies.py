"""Find anomalies in the data: columns against the schema, values against the schema (by TFDV), and values by themselves."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from tensorflow_data_validation import validate_statistics
from tensorflow_metadata.proto.v0 import anomalies_pb2

from components._core.examples.artifact import read_batches
from components._core.types.column_types import COLUMN_TYPES, DOUBLE
from components._core.types.feature_types import FLOAT32
from components.validate import dataset_schema
from components.validate.dataset_schema import Schema, names
from components.validate.findings import Finding
from components.validate.statistics import Statistics, as_list, by_name, is_text, missing_rows, only
from components.validate.tfdv_columns import batch_rows, column_of

MOSTLY = 0.5
"""Share of missing values from which a feature is reported as mostly missing."""
_FEW_ROWS = 2
_KIND_BY_PREFIX = {
    "ENUM_TYPE_": "unexpected_value",
    "BOOL_TYPE_UNEXPECTED_": "unexpected_value",
    "BOOL_TYPE_BIG_INT": "out_of_range",
    "BOOL_TYPE_SMALL_INT": "out_of_range",
    "INT_TYPE_BIG_INT": "out_of_range",
    "INT_TYPE_SMALL_INT": "out_of_range",
    "FLOAT_TYPE_BIG_FLOAT": "out_of_range",
    "FLOAT_TYPE_SMALL_FLOAT": "out_of_range",
    "FEATURE_TYPE_LOW_FRACTION_PRESENT": "missing_values",
    "FEATURE_TYPE_LOW_NUMBER_PRESENT": "missing_values",
    "FEATURE_TYPE_NOT_PRESENT": "missing_values",
    "FEATURE_TYPE_NO_VALUES": "missing_values",
    "INVALID_FEATURE_SHAPE": "missing_values",
    # columns are compared with the schema in `check_columns`, before the values
    "SCHEMA_NEW_COLUMN": "",
    "SCHEMA_MISSING_COLUMN": "",
}


def check_splits(rows: dict[str, int]) -> list[Finding]:
    """Find splits without rows."""
    remedy = "give more rows, or a larger share in data.split"
    return [
        Finding("empty_split", split, f"{split} has no rows; {remedy}", 0, 1, 0)
        for split, count in rows.items()
        if not count
    ]


def check_columns(types: dict[str, str], reviewed: Schema, exclude: list[str], label: str) -> list[Finding]:
    """Compare the columns with the reviewed schema: missing, new, of another type.

    Args:
        types: Type by name of the columns of the data, without the excluded ones.
        reviewed: The reviewed schema.
        exclude: Columns that the model must not see.
        label: The label's column; `check_presence` reports its absence.
    """
    asked_for = dataset_schema.feature_types(reviewed)
    wanted = {name: asked_for[name] for name in names(reviewed)}
    missing = [name for name in wanted if name not in types and name not in (*exclude, label)]
    findings = [Finding("missing_column", name, f"{name} is in the schema and not in the data") for name in missing]
    for name, kind in types.items():
        if name not in wanted:
            seen = "it is inferred" if name == label else "the model does not see it"
            findings.append(
                Finding("new_column", name, f"{name} ({kind}) is not in the schema: {seen} until the schema has it")
            )
        elif COLUMN_TYPES[kind].feature is not wanted[name]:
            findings.append(Finding("wrong_type", name, f"{name} is {kind}; the schema says {wanted[name].name}"))
    return findings


def check_against(
    types: dict[str, str], parts: dict[str, Statistics], reviewed: Schema, exclude: list[str], label: str
) -> list[Finding]:
    """Compare columns and values of all splits with the reviewed schema; `check_presence` reports a missing label."""
    found = check_columns(types, reviewed, exclude, label)
    wrong = {finding.where for finding in found if finding.kind in ("missing_column", "wrong_type")}
    for split, statistics in parts.items():
        # findings of train are not repeated for eval and test
        reported = {("missing_values", label), *((each.kind, each.where) for each in found)}
        values = check_values(statistics, split, reviewed, {*wrong, *exclude})
        found += [each for each in values if (each.kind, each.where) not in reported]
    return found


def check_values(statistics: Statistics, split: str, schema: Schema, skip: set[str]) -> list[Finding]:
    """Compare the values of one split with the schema, by TFDV.

    Args:
        statistics: Statistics of the split's rows.
        split: Name of the split.
        schema: The schema to compare with.
        skip: Columns that were found wrong as a whole.
    """
    if not statistics.num_examples:
        return []
    found = validate_statistics(as_list(statistics), schema)
    features = by_name(statistics)
    findings = []
    for name in sorted(found.anomaly_info):
        info = found.anomaly_info[name]
        column = info.path.step[0] if info.path.step else name
        if column not in skip:
            findings += _translate(column, split, info, features.get(column), int(statistics.num_examples))
    if found.HasField("dataset_anomaly_info"):
        message = f"{split}: {found.dataset_anomaly_info.description}"
        findings.append(Finding("schema_violation", split, message, n=int(statistics.num_examples)))
    return findings


def check_inferred(parts: dict[str, Statistics], schema: Schema, label: str) -> list[Finding]:
    """Compare the other splits with the schema that was inferred from train, which can only be wrong about domains.

    Columns without a domain are skipped: TFDV takes a millisecond for each.
    """
    listed = {feature.name for feature in schema.feature if feature.domain and feature.name != label}
    narrow = dataset_schema.only(schema, listed)
    return [
        finding
        for split, statistics in parts.items()
        for finding in check_values(only(statistics, listed), split, narrow, set())
        if listed
    ]


def check_presence(label: str, types: dict[str, str], parts: dict[str, Statistics]) -> list[Finding]:
    """Check that the label is in the table, and in every row."""
    if label not in types:
        message = f"there is no column {label!r} to predict; the table has {', '.join(list(types)[:12])}"
        return [Finding("label_missing", label, message)]
    findings = []
    for split, statistics in parts.items():
        feature = by_name(statistics).get(label)
        gaps = missing_rows(feature, statistics.num_examples) if feature is not None else 0
        if gaps:
            message = f"the label {label} is missing in {gaps} of {statistics.num_examples} rows of {split}; leave these rows out"
            findings.append(Finding("label_missing", label, message, gaps, 0, int(statistics.num_examples), split))
    return findings


def check_infinite(infinite: dict[str, int], types: dict[str, str]) -> list[Finding]:
    """Find numeric columns with values that are infinite, or too large for a model."""
    remedy = "fix the source, or exclude the column"
    larger = f" (larger than {np.finfo(FLOAT32.numpy).max:.3g}, the largest number of a model, counts as infinite)"
    return [
        Finding(
            "infinite_values",
            name,
            f"{name} has {count} infinite values{larger if types[name] == DOUBLE.name else ''}; {remedy}",
            count,
            0,
        )
        for name, count in sorted(infinite.items())
    ]


def check_features(statistics: Statistics, label: str) -> list[Finding]:
    """Find useless features: constant ones, mostly missing ones."""
    rows, findings = int(statistics.num_examples), []
    for name, feature in by_name(statistics).items():
        if name == label or rows < _FEW_ROWS:
            continue
        share = missing_rows(feature, rows) / rows
        if share > MOSTLY:
            message = (
                f"{name} has no value at all"
                if share == 1
                else f"{name} is missing in {share:.0%} of the training rows"
            )
            findings.append(Finding("mostly_missing", name, message, round(share, 4), MOSTLY, rows))
        elif share == 0 and (value := _only_value(feature)) is not None:
            findings.append(Finding("constant_feature", name, f"{name} is {value} in every training row", 1, 2, rows))
    return findings


def find_duplicates(statistics: Statistics, examples: Path, types: dict[str, str]) -> list[Finding]:
    """Find columns that equal another one in every training row; only columns with equal statistics are read and compared."""
    alike: dict[bytes, list[str]] = {}
    for name, feature in by_name(statistics).items():
        if missing_rows(feature, statistics.num_examples) < statistics.num_examples and _only_value(feature) is None:
            alike.setdefault(_content(feature), []).append(name)
    findings = []
    for group in alike.values():
        original: dict[str, str] = {}
        for first, second in combinations(group, 2):
            if first not in original and second not in original and _equal(examples, first, second, types):
                original[second] = first
                message = f"{second} equals {first} in every training row; exclude one of them"
                findings.append(Finding("duplicated_column", second, message, n=int(statistics.num_examples)))
    return findings


def _translate(column: str, split: str, info: Any, feature: Any, rows: int) -> list[Finding]:
    """Convert TFDV's reasons to findings, one of each kind."""
    findings: dict[str, Finding] = {}
    for reason in info.reason:
        kind = _kind(anomalies_pb2.AnomalyInfo.Type.Name(reason.type))
        if kind and kind not in findings:
            findings[kind] = _finding(kind, column, split, reason.description, feature, rows)
    return list(findings.values())


def _kind(reason: str) -> str:
    return next((kind for prefix, kind in _KIND_BY_PREFIX.items() if reason.startswith(prefix)), "schema_violation")


def _finding(kind: str, column: str, split: str, message: str, feature: Any, rows: int) -> Finding:
    if kind == "missing_values" and feature is not None:
        gaps = missing_rows(feature, rows)
        message = f"{column} is missing in {gaps} of {rows} rows of {split}, and the schema requires it"
        return Finding(kind, column, message, gaps, 0, rows, split)
    words = message.replace("Examples contain values missing from the schema", "values that the schema does not list")
    return Finding(kind, column, f"{column} in {split}: {words.strip(' .')}", n=rows, split=split)


def _only_value(feature: Any) -> str | None:
    """Return a feature's value when it has only one; None otherwise."""
    if is_text(feature):
        single = feature.string_stats.unique == 1 and feature.string_stats.top_values
        return repr(feature.string_stats.top_values[0].value) if single else None
    numbers = feature.num_stats
    return f"{numbers.min:.6g}" if numbers.common_stats.num_non_missing and numbers.min == numbers.max else None


def _content(feature: Any) -> bytes:
    """Serialise a feature's statistics without its name."""
    nameless = type(feature)()
    nameless.CopyFrom(feature)
    nameless.ClearField("path")
    nameless.ClearField("name")
    content: bytes = nameless.SerializeToString(deterministic=True)
    return content


def _equal(examples: Path, first: str, second: str, types: dict[str, str]) -> bool:
    for batch in read_batches(examples, "train", [first, second], batch_rows=batch_rows(2)):
        if not column_of(batch, first, types[first]).equals(column_of(batch, second, types[second])):
            return False
    return True
