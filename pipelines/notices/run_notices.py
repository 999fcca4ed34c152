"""The notice of a run that a person started: how it ended. The watcher sends that of a triggered one: it knows the cause's records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from components._notices.channels import Channel
from components._notices.outbox import APPROVAL, Notice, Outbox
from pipelines.local.run_record import LocalRunRecord


def send_end(record: LocalRunRecord, store: str, channels: Sequence[Channel], warn: Callable[[str], None]) -> None:
    """Send how a run ended; nothing is sent for one that a person interrupted.

    Args:
        record: The run's record.
        store: Root of the object store.
        channels: Where the notice goes.
        warn: Prints a sentence for a person.
    """
    if record.status != "interrupted" and channels:
        Outbox(store, record.project, channels, warn).send([describe_run(record)], datetime.now(UTC))


def describe_run(record: LocalRunRecord) -> Notice:
    """Describe how a run ended."""
    came = _describe_version(record)
    failed = next((stage.stage for stage in record.stages if stage.state == "failed"), "")
    lines = [f"stage: {failed}" if failed else "", f"cause: {record.cause}" if record.cause else "", record.reason]
    remedy = str((record.error or {}).get("remedy") or "")
    return Notice(
        record.run,
        "failed"
        if record.status == "failed"
        else "promoted"
        if record.deployed
        else APPROVAL
        if record.approve
        else "ended",
        record.project,
        f"{record.project}: run {record.run} {record.status}, {came}",
        "\n".join(filter(None, [*lines, remedy])),
        record.serve if record.deployed else record.approve,
        record.paths.get("report", ""),
        {"run": record.run, "metrics": record.metrics, "seconds": record.seconds, "exit_code": record.exit_code},
    )


def _describe_version(record: LocalRunRecord) -> str:
    if record.approve:
        return f"version {record.model_version} waits for approval"
    return f"version {record.model_version} promoted" if record.deployed else "nothing promoted"
