"""Servers held side by side, and ours with batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import median

from benchmarks.server_processes import Served
from benchmarks.workload import Workload
from components.deploy.load_generator import Load


@dataclass(frozen=True)
class Pace:
    """How long everything takes.

    Attributes:
        rounds: Turns of each pair of servers.
        seconds: Of each turn at each number of clients.
        clients: Numbers of clients.
        batch_rows: Rows of a batch.
        overload_seconds: Of each of the two open loops; the first is split into rounds.
        overload_rounds: Of the first open loop.
        malformed: Requests that are sent to see what is refused, and how.
    """

    rounds: int = 7
    seconds: float = 2.0
    clients: tuple[int, ...] = (1, 8)
    batch_rows: int = 1_000
    overload_seconds: float = 60.0
    overload_rounds: int = 5
    malformed: int = 10_000


QUICK = Pace(rounds=1, seconds=0.3, overload_seconds=1.0, overload_rounds=1, malformed=200)


@dataclass(frozen=True)
class Turn:
    """One server for some seconds.

    Attributes:
        server: Its name.
        clients: At a time.
        requests_per_second: Answered with 200.
        p50: Of their latency, in milliseconds.
        p95: The same.
        p99: The same.
        failed: Requests without an answer, or with another status.
        wrong: Answers that were not the model's.
    """

    server: str
    clients: int
    requests_per_second: float
    p50: float
    p95: float
    p99: float
    failed: int
    wrong: int

    @classmethod
    def of(cls, server: str, load: Load) -> Turn:
        """What a load came to."""
        failed = sum(load.by_status.values()) + load.unsent - load.by_status.get(200, 0)
        return cls(server, load.clients, load.throughput, **load.percentiles(), failed=failed, wrong=load.wrong)


def take_turns(servers: Sequence[Served], workload: Workload, pace: Pace) -> list[Turn]:
    """All rounds: each server in turn, at each number of clients; who begins changes from round to round."""
    bodies = {served.kind.name: workload.bodies(served.kind.protocol) for served in servers}
    for served in servers:
        warm(served, bodies[served.kind.name], pace)
    turns = []
    for round_ in range(pace.rounds):
        for clients in pace.clients:
            for served in servers if round_ % 2 == 0 else reversed(servers):
                check = workload.check(served.kind.protocol)
                load = served.drive(bodies[served.kind.name], clients=clients, seconds=pace.seconds, check=check)
                turns.append(Turn.of(served.kind.name, load))
    return turns


def medians(turns: Sequence[Turn]) -> dict[str, dict[str, dict[str, float]]]:
    """By server and number of clients (as text, which JSON's keys are): medians over the rounds; failures summed."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for server in dict.fromkeys(turn.server for turn in turns):
        for clients in dict.fromkeys(turn.clients for turn in turns):
            rows = [asdict(turn) for turn in turns if (turn.server, turn.clients) == (server, clients)]
            record = {name: median(row[name] for row in rows) for name in ("requests_per_second", "p50", "p95", "p99")}
            record.update({name: sum(row[name] for row in rows) for name in ("failed", "wrong")})
            found.setdefault(server, {})[str(clients)] = record
    return found


def ratios(turns: Sequence[Turn], ours: str, peer: str) -> dict[str, float]:
    """Ratio of our requests per second to the peer's, by number of clients: the median over the rounds."""
    found = {}
    for clients in dict.fromkeys(turn.clients for turn in turns):
        rates = {
            server: [turn.requests_per_second for turn in turns if (turn.server, turn.clients) == (server, clients)]
            for server in (ours, peer)
        }
        found[str(clients)] = _median_ratio(rates[ours], rates[peer])
    return found


def measure_batches(served: Served, workload: Workload, pace: Pace) -> dict[str, float]:
    """Rows per second of single rows, of batches and of the model in process, in turn; one client."""
    single, many = workload.bodies("v2"), workload.bodies("v2", pace.batch_rows)

    def drive(bodies: list[bytes], rows: int) -> float:
        return rows * served.drive(bodies, clients=1, seconds=pace.seconds).throughput

    turns: list[Callable[[], dict[str, float]]] = [
        lambda: {"single": drive(single, 1)},
        lambda: {"batch": drive(many, pace.batch_rows)},
        lambda: workload.in_process(pace.seconds),
    ]
    rates: dict[str, list[float]] = {}
    for round_ in range(pace.rounds):
        for turn in turns if round_ % 2 == 0 else reversed(turns):
            for name, rate in turn().items():
                rates.setdefault(name, []).append(rate)
    checked = served.drive(many, clients=1, seconds=pace.seconds, check=workload.check("v2", pace.batch_rows))
    return {
        "batch_rows": pace.batch_rows,
        "batch_rows_per_second": median(rates["batch"]),
        "single_rows_per_second": median(rates["single"]),
        "in_process_rows_per_second": median(rates["plain"]),
        "own_in_process_rows_per_second": median(rates["own"]),
        "batch_rows_ratio": _median_ratio(rates["batch"], rates["single"]),
        "batch_of_in_process": _median_ratio(rates["batch"], rates["plain"]),
        "batch_of_own_in_process": _median_ratio(rates["batch"], rates["own"]),
        "batch_wrong": checked.wrong,
    }


def _median_ratio(ones: Sequence[float], others: Sequence[float]) -> float:
    return median(one / other for one, other in zip(ones, others, strict=True))


def warm(served: Served, bodies: list[bytes], pace: Pace) -> None:
    """Ask so long that what is measured next is not the first."""
    served.drive(bodies, clients=max(pace.clients), seconds=min(pace.seconds, 1.0))
