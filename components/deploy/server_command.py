"""Builds the command line of Naru's model server (`components/serve/__main__.py`) for everything that starts one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from components._core.monitoring.result_files import monitoring_folder
from components._core.project.project_file import Project
from components._core.project.serving_config import Serve, limit_options
from components._core.request_log.live_test_lines import live_test_uri
from components._core.request_log.location import log_uri
from components._core.request_log.posted_labels import posted_labels_uri
from components._core.store.live_tests import LiveTestRecord
from components._core.store.store_addresses import triggers_folder

PROGRAM = "components.serve"
VERSION = "--version"
DIGEST = "--model-sha256"
LOG = "--log"
LOG_MASK = "--log-mask"
LOG_PICTURES = "--log-pictures"
LOG_HASH = "--log-hash"
TEST_NAME = "--live-test-name"


def server_arguments(
    model: Path | str, name: str, version: str, serve: Serve | None = None, sha256: str = ""
) -> list[str]:
    """Make the server's arguments for a model.

    Args:
        model: The model's folder, as the server sees it.
        name: The model's name, which is part of its prediction URL.
        version: The version that is returned with each answer.
        serve: The project's limits of a request; None: the server's defaults.
        sha256: Digest of the list of the model's files, which the server verifies; empty: it serves any model.
    """
    limits = limit_options(serve) if serve else []
    digest = [DIGEST, sha256] if sha256 else []
    return ["--model", str(model), "--name", name, VERSION, version, *limits, *digest]


def process_command(python: str, arguments: Sequence[str], host: str) -> list[str]:
    """Make the command of a server as a child process; it ends when its standard input closes, so with its parent.

    Args:
        python: The interpreter.
        arguments: Arguments from `server_arguments`.
        host: Address to listen on.
    """
    return [*program_command(python, arguments), "--host", host, "--while-stdin"]


def program_command(python: str, arguments: Sequence[str]) -> list[str]:
    """Make the command of a server with these arguments only."""
    return [python, "-m", PROGRAM, *arguments]


def log_arguments(project: Project, store: str, *, labels: bool = True) -> list[str]:
    """Make all options of the project's request log and posted labels, defaults included, so that the command shows every setting.

    Args:
        project: The project.
        store: Root of the object store.
        labels: Whether the server takes labels, where the project opens that.
    """
    log = project.serve.request_log
    if log is None:
        return []
    mask = [LOG_MASK, ",".join(log.mask)] if log.mask else []
    hashed = [LOG_HASH, ",".join(log.hash)] if log.hash else []
    pictures = [LOG_PICTURES, log.pictures] if log.pictures != "reference" else []
    flush = ["--log-flush-rows", str(log.flush_rows), "--log-flush-seconds", f"{log.flush_seconds:g}"]
    uri = log_uri(log, store, project.name)
    is_open = labels and project.feedback is not None and project.feedback.endpoint
    feedback = ["--feedback", posted_labels_uri(uri)] if is_open else []
    return [LOG, uri, "--log-sample", f"{log.sample:g}", *mask, *hashed, *pictures, *flush, *feedback]


def live_test_arguments(project: Project, store: str, began: LiveTestRecord, name: str, url: str) -> list[str]:
    """Make the options of the champion's server for a live test.

    Args:
        project: The project, with a request log.
        store: Root of the object store.
        began: The test.
        name: Its name.
        url: Address of the server of the version under test.
    """
    log, key = log_uri(project.serve.request_log, store, project.name), str(began.settings.get("key", ""))
    options = {
        "--live-test": began.mode,
        "--challenger": url,
        "--challenger-version": began.version,
        "--live-test-log": live_test_uri(log, name),
        TEST_NAME: name,
        "--live-test-share": f"{began.settings['share']:g}",
        **({"--live-test-key": key} if key else {}),
    }
    return [text for option in options.items() for text in option]


def monitoring_arguments(project: Project, store: str) -> list[str]:
    """Make the options for the monitor's results and the log of triggers, which the server exports as gauges; none without a request log."""
    if project.serve.request_log is None or not store:
        return []
    return ["--monitoring", monitoring_folder(store, project.name), "--triggers", triggers_folder(store, project.name)]
