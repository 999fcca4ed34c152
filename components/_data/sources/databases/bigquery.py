"""BigQuery through its Storage Read API: rows arrive as Arrow batches.

`bigquery://project` bills that project; `bigquery://` the project of the credentials (`google_cloud.py`). A table is read
directly, without a query job; a query and a view are run first, and their result is read.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from components._core.errors import DataError, NaruError, first_line
from components._core.extras import check_extra
from components._core.store.google_cloud import google_credentials, quiet_imports, translated_errors
from components._data.sources.batch_files import Batches
from components._data.sources.databases.contract import Database, Select

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

SCHEME = "bigquery://"
_SECONDS = 600.0
"""How long a query may run."""
_DIRECT = ("TABLE", "SNAPSHOT", "MATERIALIZED_VIEW")
"""Kinds of tables that the Storage Read API reads."""
_DIGITS = {"year": "%Y", "month": "%Y%m", "day": "%Y%m%d"}


@dataclass(frozen=True)
class BigQuery(Database):
    """BigQuery, as one project sees it.

    Attributes:
        location: The location as in `data.source`.
    """

    location: str

    def schema(self, select: Select) -> pa.Schema:
        """See `Database`."""
        import pyarrow as pa

        with self._errors():
            session = self._session(select)
            return pa.ipc.read_schema(pa.py_buffer(session.arrow_schema.serialized_schema))

    def batches(self, select: Select, schema: pa.Schema) -> Batches:
        """See `Database`; the rows are one stream, which the server cuts into batches."""
        import pyarrow as pa

        with self._errors():
            session = self._session(select)
            for stream in session.streams:
                for response in self._reader().read_rows(stream.name):
                    content = pa.py_buffer(response.arrow_record_batch.serialized_record_batch)
                    yield pa.ipc.read_record_batch(content, schema)

    def fetch(self, statement: str) -> list[tuple[Any, ...]]:
        """See `Database`."""
        with self._errors():
            return [tuple(row.values()) for row in self._client().query(statement).result(timeout=_SECONDS)]

    def state(self, select: Select) -> str:
        """See `Database`: of a table its tag, date and number of rows; of anything else a hash over its rows."""
        with self._errors():
            table = self._table(select)
            if table is not None:
                return f"{table.etag} {table.modified} {table.num_rows}"
        hashed = "count(*), bit_xor(farm_fingerprint(to_json_string(naru_row)))"
        (found,) = self.fetch(f"SELECT {hashed} FROM (\n{select.sql}\n) AS naru_row")
        return f"{found[0]} {found[1]}"

    def span_number(self, column: str, unit: str) -> str:
        """See `Database`."""
        return column if unit == "number" else f"CAST(FORMAT_DATE('{_DIGITS[unit]}', DATE({column})) AS INT64)"

    def quote_table(self, name: str) -> str:
        """Quote a table's name: `dataset.table` or `project.dataset.table`."""
        return self.quote(name)

    def quote(self, name: str) -> str:
        """Quote one name."""
        return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"

    def _session(self, select: Select) -> Any:
        """Open a session that reads a table, or the result of a query, in one stream."""
        from google.cloud.bigquery_storage import types

        table, where = self._table(select), select.where
        if table is None:
            job = self._client().query(select.sql)
            job.result(timeout=_SECONDS, max_results=0)
            table, where = job.destination, ""
        path = f"projects/{table.project}/datasets/{table.dataset_id}/tables/{table.table_id}"
        options = types.ReadSession.TableReadOptions(row_restriction=where)
        wanted = types.ReadSession(table=path, data_format=types.DataFormat.ARROW, read_options=options)
        project = f"projects/{self._client().project}"
        return self._reader().create_read_session(parent=project, read_session=wanted, max_stream_count=1)

    def _table(self, select: Select) -> Any:
        """Return the table of a select that is read directly; None for a query or a view."""
        if select.query:
            return None
        table = self._client().get_table(select.table.strip("`"))
        return table if table.table_type in _DIRECT else None

    def _client(self) -> Any:
        packages = ["google.cloud.bigquery", "google.cloud.bigquery_storage"]
        check_extra("bigquery", packages, "a bigquery:// source", self.location)
        with quiet_imports():
            from google.cloud import bigquery
        credentials, project = google_credentials()
        return bigquery.Client(project=self.location.removeprefix(SCHEME) or project or None, credentials=credentials)

    def _reader(self) -> Any:
        with quiet_imports():
            from google.cloud.bigquery_storage import BigQueryReadClient
        return BigQueryReadClient(credentials=google_credentials()[0])

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Translate Google's errors."""
        self._client()  # refuses a missing extra before anything of it is imported
        from google.api_core.exceptions import GoogleAPIError

        try:
            with translated_errors("BigQuery", self.location):
                yield
        except GoogleAPIError as error:
            raise self._translated(error) from error

    def _translated(self, error: Any) -> NaruError:
        if error.code == 404:
            remedy = "correct data.sql.table: dataset.table, or project.dataset.table of another project"
            return DataError(f"there is no such table: {first_line(error)}", where=self.location, remedy=remedy)
        remedy = "correct data.sql.table, data.sql.query or the column that the message names"
        return DataError(f"the query fails: {first_line(error)}", where=self.location, remedy=remedy)
