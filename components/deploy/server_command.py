"""The command line of Naru's model server (`components/serve/__main__.py`): built here, whoever starts one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from components._core.project.project_file import Project
from components._core.project.serving_config import Serve, limit_options

PROGRAM = "components.serve"
VERSION = "--version"
DIGEST = "--model-sha256"
LOG = "--log"
LOG_MASK = "--log-mask"


def server_arguments(
    model: Path | str, name: str, version: str, serve: Serve | None = None, sha256: str = ""
) -> list[str]:
    """What a server is told of its model.

    Args:
        model: The model's folder, as the server sees it.
        name: The model's name, which is in the address of its predictions.
        version: The version that answers carry.
        serve: The limits of a request that the project sets; None: the server's own.
        sha256: Digest of the list of the model's files: the server serves no other; empty: it serves what it finds.
    """
    limits = limit_options(serve) if serve else []
    digest = [DIGEST, sha256] if sha256 else []
    return ["--model", str(model), "--name", name, VERSION, version, *limits, *digest]


def process_command(python: str, arguments: Sequence[str], host: str) -> list[str]:
    """The command of a server as a child process; it ends when its standard input closes, so with its parent.

    Args:
        python: The interpreter.
        arguments: Its arguments, as of `server_arguments`.
        host: The address that it listens on.
    """
    return [*program_command(python, arguments), "--host", host, "--while-stdin"]


def program_command(python: str, arguments: Sequence[str]) -> list[str]:
    """The command of a server with these arguments alone."""
    return [python, "-m", PROGRAM, *arguments]


def log_arguments(project: Project, store: str) -> list[str]:
    """Every option of the request log that the project asks for, so that the command tells how it is kept."""
    log = project.serve.request_log
    if log is None:
        return []
    mask = [LOG_MASK, ",".join(log.mask)] if log.mask else []
    flush = ["--log-flush-rows", str(log.flush_rows), "--log-flush-seconds", f"{log.flush_seconds:g}"]
    return [LOG, log_uri(project, store), "--log-sample", f"{log.sample:g}", *mask, *flush]


def log_uri(project: Project, store: str) -> str:
    """Address of a project's request log."""
    log = project.serve.request_log
    return (log.uri if log else "") or f"{store.rstrip('/')}/{project.name}/requests"
