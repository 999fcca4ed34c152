"""What decides that the rows of a query are those of an earlier run."""

from __future__ import annotations

import pytest

from components._core.project.table_config import Sql
from components._data.sources.contract import SpanFile
from components._data.sources.databases.postgresql import PostgreSql
from components._data.sources.databases.query_source import QuerySource


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        ("postgresql://ann:other@host:5432/shop", True),
        ("bob:s3cret@host:5432/shop?sslmode=require", True),
        ("postgresql://ann:s3cret@host:5432/shop2", False),
        ("postgresql://ann:s3cret@host:5433/shop", False),
        ("postgresql://ann:s3cret@host2:5432/shop", False),
        ("postgresql://ann:s3cret@host:5432/shop?host=elsewhere", False),
    ],
)
def test_the_state_follows_the_database_that_a_variable_names_and_not_its_password(
    other: str, is_same: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PostgreSql, "fetch", lambda self, statement: [(7, 1)])
    source = QuerySource(PostgreSql("postgresql://${SHOP}"), Sql(table="t", span_column="s", version_column="v"))
    found = []
    for address in ("postgresql://ann:s3cret@host:5432/shop", other):
        monkeypatch.setenv("SHOP", address)
        found.append((source.state(SpanFile(7, "t 7", None)), source.fingerprint("all")))
        assert "s3cret" not in found[-1][0] and "ann" not in found[-1][0]
    assert [one == another for one, another in zip(*found, strict=True)] == [is_same, is_same]
