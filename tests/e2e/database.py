"""PostgreSQL in a namespace of its own on the cluster, with one table: what a team has beside Naru, and Naru does not manage."""

from __future__ import annotations

import json
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

NAMESPACE, SERVICE, PORT = "naru-e2e-data", "postgres", 5432
_IMAGE = "postgres:17.6-bookworm"  # the overlay's own database has it, so it is on the nodes
_LABELS = {"app": SERVICE}


def kubectl(*arguments: str, given: str = "", seconds: float = 120) -> str:
    """What a command printed; its own words when it failed."""
    command = ["kubectl", *arguments]
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=seconds, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-2_000:]}\n{done.stderr[-2_000:]}"
    return done.stdout


@contextmanager
def running_database(lines: list[str], table: str) -> Iterator[str]:
    """A server with the rows of a CSV file as a table, until the end of the block; yields its password."""
    password = secrets.token_urlsafe(12)
    kubectl("apply", "-f", "-", given=json.dumps({"apiVersion": "v1", "kind": "List", "items": _objects(password)}))
    try:
        kubectl("rollout", "status", f"deployment/{SERVICE}", "-n", NAMESPACE, "--timeout", "300s", seconds=330)
        columns = ", ".join(f"{name} {kind}" for name, kind in _columns(lines))
        copy = f"CREATE TABLE {table} ({columns});\n\\copy {table} FROM STDIN WITH (FORMAT csv)\n"
        execute = (
            "exec",
            "-i",
            "-n",
            NAMESPACE,
            f"deployment/{SERVICE}",
            "--",
            "psql",
            "-U",
            "postgres",
            "-d",
            "flights",
        )
        kubectl(*execute, "-v", "ON_ERROR_STOP=1", given=copy + "\n".join([*lines[1:], "\\.", ""]))
        yield password
    finally:
        kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def _columns(lines: list[str]) -> list[tuple[str, str]]:
    cells = lines[1].split(",")
    return [
        (name, "bigint" if cell.lstrip("-").isdecimal() else "text")
        for name, cell in zip(lines[0].split(","), cells, strict=True)
    ]


def _objects(password: str) -> list[dict[str, Any]]:
    here = {"namespace": NAMESPACE, "name": SERVICE}
    settings = {"POSTGRES_PASSWORD": password, "POSTGRES_DB": "flights", "PGDATA": "/data/pgdata"}
    container = {
        "name": SERVICE,
        "image": _IMAGE,
        "env": [{"name": name, "value": value} for name, value in settings.items()],
        "ports": [{"containerPort": PORT}],
        "readinessProbe": {"exec": {"command": ["pg_isready", "-h", "127.0.0.1", "-U", "postgres", "-d", "flights"]}},
        "volumeMounts": [
            {"name": "data", "mountPath": "/data"},
            {"name": "sockets", "mountPath": "/var/run/postgresql"},
        ],
    }
    pod = {
        "securityContext": {"runAsUser": 999, "runAsGroup": 999, "fsGroup": 999},
        "containers": [container],
        "volumes": [{"name": "data", "emptyDir": {}}, {"name": "sockets", "emptyDir": {}}],
    }
    template = {"metadata": {"labels": _LABELS}, "spec": pod}
    spec = {"selector": {"matchLabels": _LABELS}, "template": template}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": here, "spec": spec},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": here,
            "spec": {"selector": _LABELS, "ports": [{"port": PORT}]},
        },
    ]
