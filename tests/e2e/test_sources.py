"""Rows from where people keep them: Parquet files by date in S3, and a table of PostgreSQL whose connection is a Secret."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components._core.store.object_store import upload
from tests.containers.engine import ROOT
from tests.e2e.conftest import Deployed
from tests.e2e.database import NAMESPACE, PORT, SERVICE, kubectl, running_database
from tests.e2e.environment import Environment
from tests.e2e.flights import DAYS, TABLE, read_day, read_month, write_project
from tests.e2e.forwarding import forwarded
from tests.e2e.world import World, naru, run_here

pytestmark = pytest.mark.e2e

PATTERN = "date={YYYY}-{MM}-{DD}/part.parquet"
SPANS = "spans: last 30"
ROWS = 3_000
EXTRA = "postgresql"


def test_days_of_parquet_in_s3_are_judged_as_on_a_laptop_and_only_what_changed_is_read_again(
    world: World, tmp_path: Path, deployed: Deployed
) -> None:
    files, uri = tmp_path / "days", f"{world.variables['NARU_STORE']}/e2e-days"
    here = write_project(tmp_path / "here", f"{files}/{PATTERN}", name=DAYS, data=SPANS)
    there = write_project(tmp_path / "there", f"{uri}/{PATTERN}", name=DAYS, data=SPANS)
    days = {day: read_day(day) for day in range(1, 8)}
    _write_days(world, {day: days[day] for day in range(1, 7)}, files, uri)
    first = _compare(world, here, there, deployed, "days of Parquet in S3")
    assert "6 spans" in first
    # one day is new, one is corrected
    _write_days(world, {3: days[3].slice(20), 7: days[7]}, files, uri)
    second = _compare(world, here, there, deployed, "the same with a new and a corrected day")
    assert "spans: 5 reused, 2 read" in second
    assert "2013-01-03: corrected" in second and "2013-01-07: new" in second


def test_a_table_of_postgresql_is_read_by_the_connection_of_a_secret(
    world: World, environment: Environment, deployed: Deployed, database: str, tmp_path: Path
) -> None:
    source = "postgresql://${FLIGHTS_DB}"
    project = write_project(tmp_path / "table", source, name=TABLE, data="sql: {table: public.flights}")
    refused = world.naru("plan", str(project))
    assert refused.code == 2 and f"the extra '{EXTRA}'" in refused.errors, refused.errors
    assert "NARU_EXTRAS" in refused.errors
    overlay = _write_overlay(environment, tmp_path / "overlay", f"{SERVICE}.{NAMESPACE}.svc:{PORT}")
    assert (
        "NetworkPolicy kubeflow/naru-sources"
        in naru(deployed.variables, "cluster", "deploy", "--overlay", overlay).well()
    )
    run = world.submit(project, NARU_EXTRAS=EXTRA)
    assert world.wait(run, "a table of PostgreSQL")["state"] == "SUCCEEDED"
    with forwarded(NAMESPACE, SERVICE, PORT) as address:
        reached = f"postgresql://postgres:{database}@{urlsplit(address).netloc}/flights"
        record = run_here(project, deployed.variables, FLIGHTS_DB=reached)
    times = world.times(run)
    assert _without_explain({time.stage: time.verdict for time in times}) == _without_explain(_verdicts(record))
    assert f"{ROWS:,} rows" in times[0].reason
    assert database not in json.dumps(world.run(run)) and database not in json.dumps(world.pods(run))


@pytest.fixture
def database(world: World, environment: Environment) -> Iterator[str]:
    """A server beside Naru, and the Secret that says how it is reached; yields the password."""
    lines = read_month(1)
    lines = [lines[0], *lines[1 :: len(lines) // ROWS][:ROWS]]
    secret = ("secret", "naru-sources", "-n", environment.kfp_namespace)
    with running_database(lines, "public.flights") as password:
        address = f"postgresql://postgres:{password}@{SERVICE}.{NAMESPACE}.svc:{PORT}/flights"
        kubectl("create", "secret", "generic", *secret[1:], f"--from-literal=FLIGHTS_DB={address}")
        try:
            yield password
        finally:
            kubectl("delete", *secret)


def _write_days(world: World, days: dict[int, pa.Table], files: Path, uri: str) -> None:
    for day, rows in days.items():
        folder = files / f"date=2013-01-{day:02d}"
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(rows, folder / "part.parquet")
        with world.store():
            upload(folder, f"{uri}/{folder.name}")


def _compare(world: World, here: Path, there: Path, deployed: Deployed, named: str) -> str:
    """Run the project on the cluster and here; what ingest says on the cluster, which is what it says here."""
    run = world.submit(there)
    assert world.wait(run, named)["state"] == "SUCCEEDED"
    times, record = world.times(run), run_here(here, deployed.variables)
    assert _without_explain({time.stage: time.verdict for time in times}) == _without_explain(_verdicts(record))
    assert times[0].reason == record["stages"][0]["reason"]
    return times[0].reason


def _without_explain(verdicts: dict[str, str]) -> dict[str, str]:
    """Which features a model of few rows uses goes by its weights, and these by the version of TensorFlow."""
    return {stage: verdict for stage, verdict in verdicts.items() if stage != "explain"}


def _verdicts(record: dict[str, Any]) -> dict[str, str]:
    return {stage["stage"]: stage["verdict"] for stage in record["stages"]}


def _write_overlay(environment: Environment, folder: Path, hosts: str) -> str:
    """The overlay of the tests with the way to the database opened."""
    folder.mkdir()
    base = os.path.relpath(ROOT / "manifests" / "overlays" / environment.overlay, folder)
    (folder / "kustomization.yaml").write_text(f"""\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [{base}]
patches:
  - target: {{kind: ConfigMap, name: naru-settings}}
    patch: |-
      - {{op: replace, path: /data/NARU_SOURCE_HOSTS, value: "{hosts}"}}
""")
    return str(folder)
