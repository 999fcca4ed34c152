"""The model servers, side by side with plain ones: `make bench-serving`. See README.md for what is compared.

python -m benchmarks.serving
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from benchmarks import data, naru_run
from benchmarks.framework_servers import measure_frameworks
from benchmarks.hostile import try_hostile
from benchmarks.machine import describe_machine
from benchmarks.malformed import Tried, try_malformed
from benchmarks.overload import overload, refused_at_80
from benchmarks.process_watch import alone, busy_seconds
from benchmarks.server_processes import Kind, Served
from benchmarks.server_rounds import QUICK, Pace, Turn, measure_batches, medians, ratios, take_turns
from benchmarks.serving_summary import bounds, table
from benchmarks.workload import Workload, prepared
from components._core.errors import ConfigError
from components._core.files import write_json
from components._core.project.project_file import load_project
from components._core.types.artifact_files import SAVED_MODEL
from components._core.types.oip_paths import infer_path, ready_path
from components.deploy.server_command import program_command, server_arguments
from pipelines.serve import fetched_champion

WORK = naru_run.ROOT / "build" / "bench" / "serving"
RESULTS = Path(__file__).resolve().parent / "results" / "serving.json"
PEER = Path(__file__).resolve().parent / "peer"
SELDON = naru_run.ROOT / ".venv-seldon" / "bin" / "python"
RUNTIMES = naru_run.ROOT / "benchmarks" / ".mlserver-runtimes"
"""MLServer's own runtimes, beside the MLServer of this environment."""
SELDON_PACKAGES = ["seldon-core", "tensorflow-cpu", "gunicorn", "flask", "numpy"]
NAME = "model"
_SELDON = "/api/v1.0/predictions"
_OF_SELDON = 5
"""Of so many malformed requests as the one server gets, the other, for Seldon's protocol, gets one."""
NOTES = {
    "servers": "medians over the rounds by server and number of clients; failed and wrong are sums",
    "ratio": "median over the rounds of our requests/s divided by the peer's; the lowest over the numbers of clients counts",
    "batch": "one client; in process: the SavedModel called with as many rows, arrays ready, on the same core, in turn; own: by Naru's call",
    "overload": "open loop, moments of a Poisson process; latency from the moment a request was due; p99 of those answered with 200",
    "refused_at_80": "share not answered with 200 at 80 %, median of the rounds in which the generator itself sent nothing late",
    "frameworks": "the same fitted estimator on both sides; in process: one row in a call on the servers' core",
    "hostile": "growth of the server's peak memory by one request, and the longest wait of a liveness probe beside it",
    "malformed": "every tenth request is right and its answer compared; wrong: that, a 5xx other than 503, no answer, or a telling error",
}


def main() -> int:
    """Measure, print the table, write the results; returns 1 when a bound is broken."""
    wanted = _arguments()
    pace = QUICK if wanted.quick else Pace()
    shutil.rmtree(WORK / "logs", ignore_errors=True)
    began, busy = time.perf_counter(), busy_seconds()
    with alone(wanted.lock):
        found = _measure(wanted, pace)
    seconds = time.perf_counter() - began
    found.update(seconds=seconds, others_cpu_share=max(busy_seconds() - busy - _own_seconds(), 0.0) / seconds)
    found["bounds"] = [{**asdict(bound), "holds": bound.holds} for bound in bounds(found)]
    seldon = wanted.seldon if wanted.seldon.exists() else None
    machine = describe_machine(seldon, SELDON_PACKAGES)
    write_json(wanted.output, {**found, "pace": asdict(pace), "notes": NOTES, "machine": machine})
    print(f"\n{table(found)}\n\n{machine['cores']} cores, {machine['processor']}, {machine['memory_gib']} GiB")
    return 0 if wanted.quick or all(bound.holds for bound in bounds(found)) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    parser.add_argument(
        "--project", type=Path, help="a project with a champion; without, one is trained on the flights"
    )
    parser.add_argument("--seldon", type=Path, default=SELDON, help="an interpreter with seldon-core; none: left out")
    parser.add_argument(
        "--quick", action="store_true", help="only check that it works, in a minute; its numbers mean nothing"
    )
    parser.add_argument("--lock", type=Path, help="hold this file's lock meanwhile, where others keep to it")
    parser.add_argument("--output", type=Path, default=RESULTS, help="where the results go")
    return parser.parse_args()


def _measure(wanted: argparse.Namespace, pace: Pace) -> dict[str, Any]:
    cores = sorted(os.sched_getaffinity(0))
    serving, asking = cores[0], cores[-1]
    project = wanted.project or _train()
    with fetched_champion(project) as (_, parts), prepared(parts, serving, pace.batch_rows) as workload:
        os.sched_setaffinity(0, {asking})
        try:
            return _measure_all(workload, pace, serving, wanted.seldon)
        finally:
            os.sched_setaffinity(0, set(cores))


def _measure_all(workload: Workload, pace: Pace, core: int, seldon: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    with running([ours(workload), bare(workload)], core) as servers:
        turns = take_turns(servers, workload, pace)
        _print("against a bare MLServer", _turns_text(turns))
        found.update(measure_batches(servers[0], workload, pace))
        _print("batches", f"{found['batch_rows_ratio']:.0f} times the rows/s")
        tried = try_malformed(servers[0], workload, pace.malformed)
    with running([ours(workload)], core) as servers:
        found["overload"] = overload(servers[0], workload, pace)
        found["overload_p99_ratio"] = found["overload"]["overload_p99_ratio"]
        found["refused_at_80"] = refused_at_80(found["overload"])
        _print("overload", f"p99 times {found['overload_p99_ratio']:.1f}, refused at 80 %: {found['refused_at_80']}")
    with running([ours(workload)], core) as servers:
        found.update(try_hostile(servers[0], workload, pace))
        _print("hostile", f"{found['hostile_memory_mib']:.0f} MiB and {found['hostile_probe_seconds']:.2f} s at most")
    to_bare = ratios(turns, "naru", "bare mlserver")
    seldon_turns = _against_seldon(workload, pace, core, seldon, tried)
    found.update(tried.to_dict())
    found.update(_against_runtimes(pace, core))
    _print("malformed", f"{found['malformed_wrong']} of {found['malformed_tried']} answered badly")
    to_seldon = ratios(seldon_turns, "naru seldon", "plain seldon") if seldon_turns else {}
    turns += seldon_turns
    wrong = sum(turn.wrong for turn in turns) + found["batch_wrong"] + found["overload"]["wrong"]
    wrong += sum(one["wrong"] for one in found["frameworks"].values())
    return {
        "ratio_to_bare_mlserver": min(to_bare.values()),
        "ratio_to_plain_seldon": min(to_seldon.values(), default=None),
        "ratios_to_bare_mlserver": to_bare,
        "ratios_to_plain_seldon": to_seldon,
        **found,
        "wrong_answers": wrong,
        "servers": medians(turns),
        "turns": [asdict(turn) for turn in turns],
    }


def _against_seldon(workload: Workload, pace: Pace, core: int, seldon: Path, tried: Tried) -> list[Turn]:
    if not seldon.exists():
        _print("seldon-core", f"left out: there is no {seldon}")
        return []
    with running([_ours_on_seldon(workload, seldon), _plain_seldon(workload, seldon)], core) as servers:
        turns = take_turns(servers, workload, pace)
        tried.add(try_malformed(servers[0], workload, pace.malformed // _OF_SELDON))
    _print("against a plain seldon-core", _turns_text(turns))
    return turns


def _against_runtimes(pace: Pace, core: int) -> dict[str, Any]:
    """Each framework whose models are ONNX, beside MLServer's own runtime for it."""
    if not RUNTIMES.exists():
        _print("mlserver's own runtimes", f"left out: there is no {RUNTIMES}")
        return {"frameworks": {}, "ratio_to_mlserver_runtimes": None}
    shutil.rmtree(WORK / "frameworks", ignore_errors=True)

    def take(library: str, model: Path, file: Path, workload: Workload) -> list[Turn]:
        own = replace(ours(workload), name=f"naru {library}")
        with running([own, _runtime(library, file)], core) as servers:
            turns = take_turns(servers, workload, pace)
        _print(f"against mlserver-{library}", _turns_text(turns))
        return turns

    found = measure_frameworks(WORK / "frameworks", pace, core, take)
    lowest = min(ratio for one in found.values() for ratio in one["ratios"].values())
    return {"frameworks": found, "ratio_to_mlserver_runtimes": lowest}


def _runtime(library: str, file: Path) -> Kind:
    command = [sys.executable, str(PEER / "mlserver_runtime.py"), library, str(file.absolute()), NAME, "PORT"]
    environment = {"PYTHONPATH": str(RUNTIMES.absolute())}
    return Kind(f"mlserver {library}", "matrix", command, infer_path(NAME), ready_path(NAME), environment, PEER)


def ours(workload: Workload) -> Kind:
    """Our server, with the request log and with metrics."""
    return Kind(
        "naru", "v2", _served(sys.executable, workload), infer_path(NAME), ready_path(NAME), folder=naru_run.ROOT
    )


def _ours_on_seldon(workload: Workload, seldon: Path) -> Kind:
    command = [*_served(str(seldon.absolute()), workload), "--protocol", "seldon"]
    return Kind("naru seldon", "seldon", command, _SELDON, "/health/status", folder=naru_run.ROOT)


def _served(python: str, workload: Workload) -> list[str]:
    """As on a cluster: with the request log and with metrics."""
    options = ["--port", "PORT", "--grpc-port", "GRPC_PORT", "--metrics-port", "METRICS_PORT", "--log", "SCRATCH"]
    return program_command(python, [*server_arguments(workload.model, NAME, "1"), *options])


def bare(workload: Workload) -> Kind:
    """A plain MLServer around the same SavedModel."""
    command = [sys.executable, str(PEER / "bare_mlserver.py"), str(workload.model / SAVED_MODEL), NAME, "PORT"]
    return Kind("bare mlserver", "v2", command, infer_path(NAME), ready_path(NAME), folder=PEER)


def _plain_seldon(workload: Workload, seldon: Path) -> Kind:
    """Workers as seldon-core's documentation has them, and threads, without which a connection is not kept."""
    parameters = [{"name": "saved_model", "value": str(workload.model / SAVED_MODEL), "type": "STRING"}]
    environment = {
        "PREDICTIVE_UNIT_PARAMETERS": json.dumps(parameters),
        "PREDICTIVE_UNIT_HTTP_SERVICE_PORT": "PORT",
        "PREDICTIVE_UNIT_METRICS_SERVICE_PORT": "METRICS_PORT",
        "PREDICTIVE_UNIT_GRPC_SERVICE_PORT": "GRPC_PORT",
        "GUNICORN_WORKERS": "4",
        "GUNICORN_THREADS": "4",
        "GRPC_WORKERS": "0",
        "INCLUDE_METRICS_IN_CLIENT_RESPONSE": "false",
        "SELDON_LOG_LEVEL": "ERROR",
    }
    command = [str(seldon.parent.absolute() / "seldon-core-microservice"), "PlainSeldon", "--service-type", "MODEL"]
    return Kind("plain seldon", "seldon", command, _SELDON, "/health/ping", environment, PEER)


@contextmanager
def running(kinds: Sequence[Kind], core: int) -> Iterator[list[Served]]:
    """All of them at once, on one core: the one that gets no request takes next to nothing of it."""
    logs = WORK / "logs"
    with ExitStack() as stack:
        servers = [stack.enter_context(Served(kind, core, logs)) for kind in kinds]
        for served in servers:
            served.wait_until_ready()
        yield servers
        for served in servers:
            if not served.runs:
                raise SystemExit(f"{served.kind.name} ended by itself: {served.last_lines()}")


def _train() -> Path:
    """A project of the flights with a champion; made once."""
    project = WORK / "project"
    try:
        load_project(project)
        with fetched_champion(project):
            return project
    except ConfigError:
        pass
    _print("model", "none yet: training one on the flights")
    data.prepare(naru_run.ROOT / "build" / "bench" / "data" / "1", 1)
    shutil.rmtree(project, ignore_errors=True)
    project.mkdir(parents=True)
    naru_run.write_project(project, naru_run.ROOT / "build" / "bench" / "data" / "1", 1)
    command = [sys.executable, "-m", "pipelines", "run", ".", "--json", "--set", "train.steps=256"]
    done = subprocess.run(command, cwd=project, env=naru_run.environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"the model was not made: {done.stdout or done.stderr}")
    return project


def _turns_text(turns: Sequence[Turn]) -> str:
    found = medians(turns)
    rates = {name: [f"{row['requests_per_second']:,.0f}/s" for row in rows.values()] for name, rows in found.items()}
    return "; ".join(f"{name} {', '.join(rate)}" for name, rate in rates.items())


def _print(what: str, text: str) -> None:
    print(f"{what:<28} {text}", flush=True)


def _own_seconds() -> float:
    own = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in own)


if __name__ == "__main__":
    sys.exit(main())
