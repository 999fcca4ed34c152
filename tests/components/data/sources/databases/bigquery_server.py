"""A stand-in for BigQuery: no emulator of it can be run here, so a server of the tests' own speaks what Google's clients send.

It is not BigQuery: it knows a few tables and a few statements by their text. What it has in common with it are the messages: REST
for tables and query jobs, gRPC for the Storage Read API, whose rows are bare Arrow messages with the schema in the first one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
import pyarrow as pa
from google.cloud.bigquery_storage import types

from tests.http_servers import running

PROJECT = "bill"


@dataclass
class StandIn:
    """What it has.

    Attributes:
        tables: Rows by `project.dataset.table`.
        views: Names of tables that only a query reads.
        answers: Rows by the text of a statement.
        status: Answer of every REST request: 200, or an error.
        sessions: Path and restriction of each read session.
    """

    tables: dict[str, pa.Table] = field(default_factory=dict)
    views: set[str] = field(default_factory=set)
    answers: dict[str, pa.Table] = field(default_factory=dict)
    status: int = 200
    statements: list[str] = field(default_factory=list)
    sessions: list[tuple[str, str]] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    rest: str = ""
    storage: str = ""

    def create_session(self, request: types.CreateReadSessionRequest, context: grpc.ServicerContext) -> Any:
        session = request.read_session
        _, project, _, dataset, _, name = session.table.split("/")
        self.sessions.append((f"{project}.{dataset}.{name}", session.read_options.row_restriction))
        rows = self.tables.get(f"{project}.{dataset}.{name}")
        if rows is None:
            context.abort(grpc.StatusCode.NOT_FOUND, "no table")
        session.name = session.table
        session.arrow_schema = types.ArrowSchema(serialized_schema=rows.schema.serialize().to_pybytes())
        session.streams = [types.ReadStream(name=f"{project}.{dataset}.{name}")]
        return session

    def read_rows(self, request: types.ReadRowsRequest, context: grpc.ServicerContext) -> Iterator[Any]:
        rows = self.tables[request.read_stream]
        schema = types.ArrowSchema(serialized_schema=rows.schema.serialize().to_pybytes())
        for number, batch in enumerate(rows.to_batches(max_chunksize=2)):
            content = types.ArrowRecordBatch(serialized_record_batch=batch.serialize().to_pybytes())
            response = types.ReadRowsResponse(arrow_record_batch=content, row_count=batch.num_rows)
            if not number:
                response.arrow_schema = schema
            yield response


@contextmanager
def serving() -> Iterator[StandIn]:
    stand_in = StandIn()
    http = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    http.stand_in = stand_in  # type: ignore[attr-defined]
    server = grpc.server(ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((_storage(stand_in),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with running(http):
            stand_in.rest, stand_in.storage = f"http://127.0.0.1:{http.server_port}", f"127.0.0.1:{port}"
            yield stand_in
    finally:
        server.stop(None)


def _storage(stand_in: StandIn) -> grpc.GenericRpcHandler:
    create, read = types.CreateReadSessionRequest, types.ReadRowsRequest
    return grpc.method_handlers_generic_handler(
        "google.cloud.bigquery.storage.v1.BigQueryRead",
        {
            "CreateReadSession": grpc.unary_unary_rpc_method_handler(
                stand_in.create_session, create.deserialize, types.ReadSession.serialize
            ),
            "ReadRows": grpc.unary_stream_rpc_method_handler(
                stand_in.read_rows, read.deserialize, types.ReadRowsResponse.serialize
            ),
        },
    )


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else the system waits 40 ms between two pieces of an answer

    def do_GET(self) -> None:
        path = self.path.partition("?")[0].strip("/").split("/")
        if "tables" in path:
            self._send_table(path[3], path[5], path[7])
        else:
            self._send_results(path[-1])

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        statement = body["configuration"]["query"]["query"]
        job = body["jobReference"]["jobId"]
        self._stand_in.statements.append(statement)
        answer = self._stand_in.answers.get(statement)
        if answer is None:
            self._send(400, {"error": {"code": 400, "message": f"Syntax error: {statement[:60]}", "errors": []}})
            return
        self._stand_in.tables[f"{PROJECT}.temporary.{job}"] = answer
        self._send(200, self._job(job))

    def _job(self, job: str) -> dict[str, Any]:
        destination = {"projectId": PROJECT, "datasetId": "temporary", "tableId": job}
        return {
            "jobReference": {"projectId": PROJECT, "jobId": job, "location": "US"},
            "configuration": {"jobType": "QUERY", "query": {"query": "", "destinationTable": destination}},
            "status": {"state": "DONE"},
            "statistics": {"query": {"statementType": "SELECT"}},
        }

    def _send_table(self, project: str, dataset: str, name: str) -> None:
        key = f"{project}.{dataset}.{name}"
        rows = self._stand_in.tables.get(key)
        if rows is None:
            self._send(404, {"error": {"code": 404, "message": f"Not found: Table {key}", "errors": []}})
            return
        kind = "VIEW" if key in self._stand_in.views else "TABLE"
        reference = {"projectId": project, "datasetId": dataset, "tableId": name}
        version = self._stand_in.versions.get(key, "1")
        self._send(200, {"tableReference": reference, "type": kind, "etag": version, "numRows": str(rows.num_rows), "lastModifiedTime": "0"})  # fmt: skip

    def _send_results(self, job: str) -> None:
        if job not in {key.rpartition(".")[2] for key in self._stand_in.tables}:
            self._send(200, self._job(job))
            return
        rows = self._stand_in.tables[f"{PROJECT}.temporary.{job}"]
        fields = [{"name": name, "type": "INTEGER", "mode": "NULLABLE"} for name in rows.column_names]
        values = [{"f": [{"v": None if v is None else str(v)} for v in row.values()]} for row in rows.to_pylist()]
        reference = {"projectId": PROJECT, "jobId": job, "location": "US"}
        results = {
            "jobReference": reference,
            "jobComplete": True,
            "schema": {"fields": fields},
            "totalRows": str(rows.num_rows),
        }
        self._send(200, {**results, "rows": values})

    @property
    def _stand_in(self) -> StandIn:
        return self.server.stand_in  # type: ignore[attr-defined, no-any-return]

    def _send(self, status: int, body: dict[str, Any]) -> None:
        if self._stand_in.status != 200:
            status = self._stand_in.status
            body = {"error": {"code": status, "message": "bigquery.tables.getData denied", "errors": []}}
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *_: object) -> None:
        """Quiet."""
