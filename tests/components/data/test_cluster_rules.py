from __future__ import annotations

import pytest

from components._core.errors import ConfigError
from components._core.project.data_config import Data
from components._data.cluster_rules import check_cluster_data, check_cluster_store


@pytest.mark.parametrize(
    ("data", "key", "extra"),
    [
        ({"source": "t.avro"}, "data.format", "avro"),
        ({"source": "s3://b/t", "format": "xlsx"}, "data.format", "xlsx"),
        ({"source": "gs://b/t.csv"}, "data.source", "gcs"),
        ({"source": "delta://s3://b/t"}, "data.source", "delta"),
        ({"source": "postgresql://h/d", "sql": {"table": "t"}}, "data.source", "postgresql"),
        ({"source": "bigquery://p", "sql": {"table": "t"}}, "data.source", "bigquery"),
    ],
)
def test_what_only_an_extra_reads_is_refused_before_it_is_compiled(
    data: dict[str, object], key: str, extra: str
) -> None:
    with pytest.raises(ConfigError, match=f"extra '{extra}'") as refused:
        check_cluster_data(Data.model_validate(data), "project.yaml")
    assert refused.value.where == f"project.yaml: {key}" and "naru run" in refused.value.remedy


@pytest.mark.parametrize("source", ["t.csv", "s3://b/t-{span}.parquet", "https://h/t.jsonl"])
def test_what_the_images_read_passes(source: str) -> None:
    check_cluster_data(Data(source=source), "project.yaml")


def test_a_store_that_the_images_do_not_reach_is_refused() -> None:
    check_cluster_store("s3://bucket/naru")
    with pytest.raises(ConfigError, match="extra 'gcs'") as refused:
        check_cluster_store("gs://bucket")
    assert refused.value.where == "NARU_STORE 'gs://bucket'"
