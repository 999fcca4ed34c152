"""The predictor's metrics for Prometheus, independent of the model server.

naru_requests_total                 requests that reached the predictor, refused ones included
naru_refusals_total{code}           requests not answered, by the codes of `refusals.py`; `unexpected`: an internal error
naru_rows_total                     rows that were answered
naru_request_seconds                histogram over answered requests: from the parsed request to the model's answer,
                                    the wait for its turn included
naru_in_flight                      requests in progress
naru_request_log_waiting            answered requests that the request log has yet to write
naru_request_log_written_total      requests that are in the log's store
naru_request_log_dropped_total      requests not logged, as the queue was full or the store unavailable
naru_request_log_failures_total     failed attempts to write to the store
naru_model_info{name,version}       1
naru_monitor_*                      the monitor's newest result, see `monitoring_gauges.py`
naru_trigger_*                      what the triggers decided, see `trigger_gauges.py`
process_*                           memory, processor time and open files, as every Prometheus client names them

A body that is not a request of the protocol is refused by the model server before it gets here, and is not counted.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from components._predictor.refusals import STATUS, Refusal
from components.serve.request_log import RequestLog

_UNEXPECTED = "unexpected"
_CONNECTIONS = 32
_HEAD_BYTES = 16_384
_ANSWER_SECONDS = 5.0
_CLOSING_SECONDS = 2.0
_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """Counters of one served model.

    Args:
        name: The model's name.
        version: The model's version.

    Attributes:
        registry: Registry of these metrics only, without those that libraries register for themselves.
        in_flight: Requests in progress.
    """

    def __init__(self, name: str = "", version: str = "") -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        Info("naru_model", "The model that is served", registry=self.registry).info({"name": name, "version": version})
        self._requests = Counter("naru_requests", "Requests that reached the predictor", registry=self.registry)
        refusals = Counter("naru_refusals", "Requests not answered, by reason", ["code"], registry=self.registry)
        self._refusals = {
            code: refusals.labels(code) for code in (*STATUS, _UNEXPECTED)
        }  # every code is exported, from 0 on
        self._rows = Counter("naru_rows", "Rows answered", registry=self.registry)
        self._seconds = Histogram("naru_request_seconds", "Time to an answer", buckets=_BUCKETS, registry=self.registry)
        self._log: RequestLog | None = None
        self.in_flight = Gauge("naru_in_flight", "Requests in progress", registry=self.registry)

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count the request of a `with` block, and why it was not answered if it was not."""
        self._requests.inc()
        try:
            yield
        except Exception as error:
            self._count_refusal(error)
            raise

    def count_request(self, error: BaseException | None) -> None:
        """Count a finished request, and why it was not answered if it was not; a client's disconnect is not a failure."""
        self._requests.inc()
        if isinstance(error, Exception):
            self._count_refusal(error)

    def _count_refusal(self, error: Exception) -> None:
        code = error.code if isinstance(error, Refusal) else _UNEXPECTED
        self._refusals[code].inc()
        if self._log:
            self._log.count_refusal(code)

    def count_answer(self, rows: int, seconds: float) -> None:
        self._rows.inc(rows)
        self._seconds.observe(seconds)

    def add_request_log(self, log: RequestLog) -> None:
        """Export the request log's counters, too, and count refusals in it."""
        self._log = log
        self.registry.register(_RequestLogCollector(log))

    def add_collector(self, collector: Collector) -> None:
        """Export more, which `collector` yields at each scrape."""
        self.registry.register(collector)


class _RequestLogCollector(Collector):
    def __init__(self, log: RequestLog) -> None:
        self._log = log

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("naru_request_log_waiting", "Requests to be written", self._log.waiting)
        yield CounterMetricFamily("naru_request_log_written", "Requests in the store", self._log.written)
        yield CounterMetricFamily("naru_request_log_dropped", "Requests not logged", self._log.dropped)
        yield CounterMetricFamily("naru_request_log_failures", "Tries that failed", self._log.failures)


@contextmanager
def serve_metrics(metrics: Metrics, host: str, port: int) -> Iterator[None]:
    """Answer `GET /metrics` during a `with` block, in a separate thread, so also when the model server is at its limit.

    Args:
        metrics: Metrics to export.
        host: Address to listen on.
        port: Port to listen on; 0: do not listen.
    """
    if not port:
        yield
        return
    page = _MetricsServer(metrics.registry, host, port)
    thread = threading.Thread(target=page.serve, name="naru-metrics", daemon=True)
    thread.start()
    try:
        yield
    finally:
        page.close()
        thread.join(_CLOSING_SECONDS)


class _MetricsServer:
    """Serves the metrics over HTTP from one thread, one answer per connection; connections are few and short."""

    def __init__(self, registry: CollectorRegistry, host: str, port: int) -> None:
        self._registry = registry
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listening = socket.create_server((host, port), family=family, backlog=_CONNECTIONS)
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(lambda *_: None)  # when files run out, the model server logs it
        self._open: dict[asyncio.StreamWriter, None] = {}  # in order of arrival

    def serve(self) -> None:
        """Serve until `close`."""
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._answer, sock=self._listening, limit=_HEAD_BYTES, backlog=_CONNECTIONS)
        )
        try:
            self._loop.run_forever()
        finally:
            server.close()
            for writer in list(self._open):
                writer.transport.abort()
            self._loop.run_until_complete(asyncio.sleep(0))
            self._loop.close()

    def close(self) -> None:
        """Stop serving; called from another thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= _CONNECTIONS:
            next(iter(self._open)).transport.abort()  # the oldest: a well-behaved client has been answered by now
        self._open[writer] = None
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(self._respond(head))
                await writer.drain()
                writer.close()
                await writer.wait_closed()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):  # TimeoutError is an OSError
            writer.transport.abort()
        finally:
            self._open.pop(writer, None)

    def _respond(self, head: bytes) -> bytes:
        method, _, rest = head.partition(b" ")
        path = rest.partition(b" ")[0].partition(b"?")[0]
        if method not in (b"GET", b"HEAD"):
            return _response("405 Method Not Allowed", "text/plain", b"only GET is allowed\n")
        if path not in (b"/metrics", b"/"):
            return _response("404 Not Found", "text/plain", b"the metrics are at /metrics\n")
        body = generate_latest(self._registry)
        return _response("200 OK", CONTENT_TYPE_LATEST, b"" if method == b"HEAD" else body)


def _response(status: str, kind: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body
