from __future__ import annotations

import pytest

from components._core.project.data_config import Data
from components._data.cluster_rules import location_extras, table_extras


@pytest.mark.parametrize(
    ("data", "needed"),
    [
        ({"source": "t.avro"}, [("data.format", "avro")]),
        ({"source": "s3://b/t", "format": "xlsx"}, [("data.format", "xlsx")]),
        ({"source": "gs://b/t.csv"}, [("data.source", "gcs")]),
        ({"source": "gs://b/t.avro"}, [("data.format", "avro"), ("data.source", "gcs")]),
        ({"source": "delta://s3://b/t"}, [("data.source", "delta")]),
        ({"source": "delta://gs://b/t"}, [("data.source", "delta"), ("data.source", "gcs")]),
        ({"source": "postgresql://h/d", "sql": {"table": "t"}}, [("data.source", "postgresql")]),
        ({"source": "postgresql://${DB}", "sql": {"table": "t"}}, [("data.source", "postgresql")]),
        ({"source": "bigquery://p", "sql": {"table": "t"}}, [("data.source", "bigquery")]),
        ({"source": "t.csv"}, []),
        ({"source": "s3://b/t-{span}.parquet"}, []),
        ({"source": "https://h/t.jsonl"}, []),
        ({"source": "t.csv", "join": [{"source": "t.csv", "on": "k"}, {"source": "gs://b/t.avro", "on": "k"}]},
         [("data.join.1.format", "avro"), ("data.join.1.source", "gcs")]),
    ],
)  # fmt: skip
def test_a_tables_extras_are_those_of_its_format_and_its_source(
    data: dict[str, object], needed: list[tuple[str, str]]
) -> None:
    assert table_extras(Data.model_validate(data)) == needed


def test_a_store_may_need_one_too() -> None:
    assert location_extras("s3://bucket/naru") == location_extras("/folder") == []
    assert location_extras("gs://bucket") == ["gcs"]
