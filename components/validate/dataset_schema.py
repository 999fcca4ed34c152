"""The schema: reviewed by a person and kept with the code, or inferred; the effective schema, and the proposed change."""

from __future__ import annotations

import difflib
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Any, TypeAlias

from google.protobuf import text_format
from tensorflow_data_validation import infer_schema, update_schema
from tensorflow_metadata.proto.v0 import schema_pb2

from components._core.errors import ConfigError
from components._core.files import write_text
from components._core.stage.user_code import unpack_code
from components._core.types.artifact_files import SCHEMA
from components._core.types.feature_types import FEATURE_TYPES, FeatureType, type_of_schema
from components.validate.statistics import Statistics, as_list, by_name, is_text, missing_rows

Schema: TypeAlias = schema_pb2.Schema

MAX_DOMAIN = 100
"""A string column with more values gets no domain: so long a list is not reviewed, and new values are not an anomaly."""
_ROWS_PER_VALUE = 5
_AWAY = (schema_pb2.DEPRECATED, schema_pb2.DISABLED, schema_pb2.PLANNED, schema_pb2.ALPHA, schema_pb2.DEBUG_ONLY)


def read_reviewed(code: Path, name: str) -> Schema | None:
    """Read the reviewed schema from the code archive; None when the project has none.

    Args:
        code: The archive.
        name: Name of the schema's file in the project.

    Raises:
        ConfigError: When it does not parse, is empty, or has a feature of an unsupported type.
    """
    with tempfile.TemporaryDirectory() as folder:
        unpack_code(code, Path(folder))
        file = Path(folder) / name
        return parse_schema(file.read_bytes(), name) if file.is_file() else None


def parse_schema(content: bytes, name: str) -> Schema:
    """Parse a schema's text; errors as in `read_reviewed`."""
    try:
        schema = text_format.Parse(content.decode("utf-8-sig"), Schema())
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"is not a schema: {error}", where=name, remedy="correct it, or delete it to have one inferred"
        ) from None
    if not schema.feature:
        raise ConfigError("has no features", where=name, remedy="delete it to have one inferred")
    for feature in schema.feature:
        if type_of_schema(found := schema_pb2.FeatureType.Name(feature.type)) is None:
            allowed = ", ".join(known.schema for known in FEATURE_TYPES.values())
            message = f"feature {feature.name!r} has type {found}; allowed: {allowed}"
            raise ConfigError(message, where=name, remedy="correct its type")
    return schema


def feature_types(schema: Schema) -> dict[str, FeatureType]:
    """Return the type of each feature of a schema from `parse_schema`."""
    found = {feature.name: type_of_schema(schema_pb2.FeatureType.Name(feature.type)) for feature in schema.feature}
    return {name: kind for name, kind in found.items() if kind is not None}


def infer(statistics: Statistics, others: list[Statistics], label: str) -> Schema:
    """Infer a schema from the training rows.

    A column is required when it has a value in every row of every split; a string column gets a domain when it has few
    values, each seen often. Bool domains, which TFDV infers from 0 and 1, are left out: a later 2 would be an unwanted
    anomaly.

    Args:
        statistics: Statistics of the training rows.
        others: Statistics of the other splits, for whether values may be missing.
        label: The label's column, which is always required.
    """
    schema = infer_schema(as_list(statistics), max_string_domain_size=MAX_DOMAIN)
    gaps = {
        name
        for part in [statistics, *others]
        for name, feature in by_name(part).items()
        if missing_rows(feature, part.num_examples)
    }
    for feature in schema.feature:
        if feature.HasField("bool_domain"):
            feature.ClearField("bool_domain")
        require(feature) if feature.name == label else relax(feature) if feature.name in gaps else None
    _drop_rare_domains(schema, statistics)
    return schema


def mark_picture(schema: Schema, column: str) -> None:
    """Say in a schema that a column has pictures; it then has no domain of texts. An empty name changes nothing."""
    for feature in schema.feature:
        if column and feature.name == column and not feature.HasField("image_domain"):
            feature.image_domain.SetInParent()
    _keep_domains(schema, schema)


def mark_texts(schema: Schema, columns: Collection[str]) -> None:
    """Say in a schema that columns have texts in natural language; they then have no domain of texts that are expected."""
    for feature in schema.feature:
        if feature.name in columns and not feature.HasField("natural_language_domain"):
            feature.natural_language_domain.SetInParent()
    _keep_domains(schema, schema)


def relax(feature: Any) -> None:
    """Allow missing values of a feature."""
    feature.presence.ClearField("min_fraction")
    feature.presence.min_count = min(feature.presence.min_count, 1)
    if feature.HasField("shape"):
        feature.ClearField("shape")
        feature.value_count.min = feature.value_count.max = 1


def require(feature: Any) -> None:
    """Require a value of a feature in every row."""
    feature.presence.min_fraction = 1
    feature.presence.min_count = 1


def settle(reviewed: Schema, inferred: Schema, leave_out: set[str], as_found: set[str], gaps: set[str]) -> Schema:
    """Combine the reviewed schema with the data into the effective schema.

    Args:
        reviewed: The reviewed schema.
        inferred: The schema inferred from the data; replaces columns where the reviewed schema does not fit.
        leave_out: Columns to remove: excluded ones, and those missing in the data.
        as_found: Columns taken from the data: those with another type that the policy allows, and the label.
        gaps: Columns in which the policy allows missing values.
    """
    found = {feature.name: feature for feature in inferred.feature}
    schema = Schema()
    schema.CopyFrom(reviewed)
    del schema.feature[:]
    for feature in reviewed.feature:
        if feature.name not in leave_out and feature.lifecycle_stage not in _AWAY:
            schema.feature.append(found[feature.name] if feature.name in as_found & found.keys() else feature)
            if feature.name in gaps:
                relax(schema.feature[-1])
    present = {feature.name for feature in schema.feature}
    schema.feature.extend(found[name] for name in sorted(as_found - present) if name in found)
    _keep_domains(schema, inferred)
    return schema


def names(schema: Schema) -> list[str]:
    """Return the names of a schema's features, in its order, without deprecated and planned ones."""
    return [feature.name for feature in schema.feature if feature.lifecycle_stage not in _AWAY]


def only(schema: Schema, columns: set[str]) -> Schema:
    """Restrict a schema to some columns."""
    part = Schema(string_domain=schema.string_domain)
    part.feature.extend(feature for feature in schema.feature if feature.name in columns)
    return part


def propose(schema: Schema, parts: list[Statistics]) -> Schema:
    """Change a schema so that the data conforms to it, for review as a diff."""
    for statistics in parts:
        if statistics.num_examples:
            schema = update_schema(schema, as_list(statistics), max_string_domain_size=MAX_DOMAIN)
    return schema


def difference(before: Schema, after: Schema, name: str) -> str:
    """Return a unified diff of two schemas; empty when they are equal."""
    old, new = (to_text(schema).splitlines(keepends=True) for schema in (before, after))
    return "".join(difflib.unified_diff(old, new, f"a/{name}", f"b/{name}"))


def to_text(schema: Schema) -> str:
    """Convert a schema to text; equal schemas give equal text."""
    return str(text_format.MessageToString(schema))


def save(schema: Schema, folder: Path) -> None:
    """Write a schema into the schema artifact."""
    write_text(folder / SCHEMA, to_text(schema))


def _drop_rare_domains(schema: Schema, statistics: Statistics) -> None:
    texts = {name: feature.string_stats for name, feature in by_name(statistics).items() if is_text(feature)}
    for feature in schema.feature:
        found = texts.get(feature.name)
        if found is not None and found.unique * _ROWS_PER_VALUE > found.common_stats.num_non_missing:
            feature.ClearField("domain")
    _keep_domains(schema, schema)


def _keep_domains(schema: Schema, source: Schema) -> None:
    """Keep the referenced string domains, each once; a missing one is copied from the source."""
    used = {feature.domain for feature in schema.feature if feature.domain}
    known = {domain.name: domain for domain in [*source.string_domain, *schema.string_domain] if domain.name in used}
    kept = [known[name] for name in sorted(known)]
    copies = [schema_pb2.StringDomain.FromString(domain.SerializeToString()) for domain in kept]
    del schema.string_domain[:]
    schema.string_domain.extend(copies)
