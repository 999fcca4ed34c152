"""BigQuery as a source: Google's real clients, and a stand-in for the service."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from components._core.errors import ConfigError, DataError, ServiceError
from components._data.sources.databases import bigquery
from components._data.sources.databases.bigquery import BigQuery
from tests.components.data.sources.databases.bigquery_server import PROJECT, StandIn, serving
from tests.components.data.sources.databases.reading import fingerprint, read

pytestmark = pytest.mark.slow  # importing the clients takes seconds

SOURCE = f"bigquery://{PROJECT}"
ROWS = pa.table(
    {
        "n": pa.array([1, None, 3], pa.int64()),
        "price": pa.array([1.5, None, 2.25]),
        "day": pa.array([date(2024, 1, 31), date(2024, 2, 1), None], pa.date32()),
        "at": pa.array([0, 1, 2], pa.timestamp("us", "UTC")),
        "word": ["a", "b", None],
        "y": [0, 1, 0],
    }
)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    import grpc
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.bigquery_storage import BigQueryReadClient
    from google.cloud.bigquery_storage_v1.services.big_query_read.transports import BigQueryReadGrpcTransport

    with serving() as stand_in:
        stand_in.tables[f"{PROJECT}.set.t"] = ROWS
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", stand_in.rest)
        monkeypatch.setattr(bigquery, "google_credentials", lambda: (AnonymousCredentials(), "own"))
        # the client of the storage API has no variable for its address, and speaks TLS to all but such a channel
        channel = grpc.insecure_channel(stand_in.storage)
        reader = BigQueryReadClient(transport=BigQueryReadGrpcTransport(channel=channel))
        monkeypatch.setattr(BigQuery, "_reader", lambda self: reader)
        yield stand_in
        channel.close()


def test_a_table_is_read_directly_with_its_types(service: StandIn) -> None:
    rows = read(SOURCE, "y", sql={"table": "set.t"})[1]
    assert rows.to_pydict() == ROWS.to_pydict() and rows.schema.types == ROWS.schema.types
    assert not service.statements, "no query is paid for"


def test_a_span_is_a_restriction_of_the_read(service: StandIn) -> None:
    spans = pa.table({"f0_": [202401, 202402], "f1_": [2, 1]})
    statement = "SELECT CAST(FORMAT_DATE('%Y%m', DATE(`day`)) AS INT64), count(*) FROM `set.t` GROUP BY 1 LIMIT 100001"
    service.answers[statement] = spans
    sql = {"table": "set.t", "span_column": "day", "span_unit": "month"}
    assert list(read(SOURCE, "y", "2024-02", sql=sql)) == [202402]
    assert service.sessions[-1] == (f"{PROJECT}.set.t", "`day` >= '2024-02-01' AND `day` < '2024-03-01'")


@pytest.mark.parametrize("sql", [{"query": "SELECT n, y FROM set.t;"}, {"table": "set.v"}])
def test_the_result_of_a_query_and_of_a_view_is_read(service: StandIn, sql: dict[str, Any]) -> None:
    service.tables[f"{PROJECT}.set.v"] = ROWS
    service.views.add(f"{PROJECT}.set.v")
    for statement in ("SELECT n, y FROM set.t", "SELECT * FROM `set.v`"):
        service.answers[statement] = ROWS.select(["n", "y"])
    assert read(SOURCE, "y", sql=sql)[1].to_pydict() == {"n": [1, None, 3], "y": [0, 1, 0]}


def test_the_fingerprint_is_the_state_of_the_table(service: StandIn) -> None:
    before = fingerprint(SOURCE, sql={"table": "set.t"})
    assert fingerprint(SOURCE, sql={"table": "set.t"}) == before
    service.versions[f"{PROJECT}.set.t"] = "2"
    assert fingerprint(SOURCE, sql={"table": "set.t"}) != before


@pytest.mark.parametrize(
    ("sql", "message"),
    [({"table": "set.none"}, "there is no such table"), ({"query": "SELEC 1"}, "the query fails: .*Syntax error")],
)
def test_a_query_that_fails_is_bad_data_with_its_reason(service: StandIn, sql: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(SOURCE, "y", sql=sql)


def test_missing_rights_are_reported(service: StandIn) -> None:
    service.status = 403
    with pytest.raises(ServiceError, match=r"BigQuery refuses: .*tables\.getData denied"):
        read(SOURCE, "y", sql={"table": "set.t"})


def test_a_missing_extra_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components._core.extras.importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"not installed: google\.cloud\.bigquery") as caught:
        read(SOURCE, "y", sql={"table": "set.t"})
    assert "pip install 'naru[bigquery]'" in caught.value.remedy
