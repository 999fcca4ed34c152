"""`naru data`: datasets of runs and versions are listed, shown, compared by spans, columns and rows, and verified."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from typer.testing import CliRunner, Result

from components._core.errors import ConfigError, DataBlockedError, DataError
from components._core.examples.artifact import Manifest
from components._core.project.project_file import load_project
from components._core.store.ledger import Deployment, append_deployment
from components.ingest.ingest import ingest_examples
from pipelines.__main__ import app

Naru = Callable[..., Result]


def write_span(folder: Path, span: int, first: int = 0, extra: str = "") -> None:
    rows = [f"{1_000 * span + row},{(row + first) % 17},{row % 2}" for row in range(100)]
    (folder / f"t-{span}.csv").write_text("\n".join(["id,x,y", *rows, *filter(None, [extra])]) + "\n")


def ingest(folder: Path, run: str) -> Path:
    """Ingest as a run of this machine does, and leave its record."""
    home = folder / ".naru" / "runs" / run
    for name in ("examples", "quarantine"):
        (home / name).mkdir(parents=True)
    project = load_project(folder, {"data.source": str(folder / "t-{span}.csv")})
    data = project.data.with_places(lambda source: str(folder / source))
    project = project.model_copy(update={"data": data})
    ingest_examples(project, examples=home / "examples", quarantine=home / "quarantine")
    (home / "run.json").write_text(json.dumps({"run": run, "artifacts": {"examples": str(home / "examples")}}))
    return home / "examples"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with two runs, the second of which read a new and a corrected span; the first is version 1."""
    monkeypatch.delenv("NARU_STORE", raising=False)
    text = "{name: p, task: binary_classification, label: y, data: {source: 't-{span}.csv', exclude: [id]}}"
    (tmp_path / "project.yaml").write_text(text)
    for span in (1, 2):
        write_span(tmp_path, span)
    examples = ingest(tmp_path, "20240101-000000-aaaa")
    store = tmp_path / ".naru" / "store"
    (store / "p" / "model").mkdir(parents=True)
    shutil.copy(examples / "manifest.json", store / "p" / "manifest.json")
    line = Deployment(
        "1", str(store / "p" / "model"), "", "", {}, Manifest.load(examples).fingerprint, "r", "t", "me", "w"
    )
    append_deployment(str(store), "p", line)
    write_span(tmp_path, 2, first=1)
    write_span(tmp_path, 3)
    ingest(tmp_path, "20240201-000000-bbbb")
    return tmp_path


@pytest.fixture
def naru(project: Path) -> Naru:
    def run(command: str, *arguments: str) -> Result:
        return CliRunner().invoke(app, ["data", command, str(project), *arguments], catch_exceptions=False)

    return run


def test_runs_and_versions_are_listed(naru: Naru) -> None:
    lines = naru("ls").stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["20240101-000000-aaaa", "20240201-000000-bbbb", "v1"]
    assert lines[2].split()[1] == "300" and lines[2].endswith("1-3") and lines[3].endswith("1-2")


@pytest.mark.parametrize("name", ["last", "bbbb", "20240201"])
def test_a_dataset_is_shown_with_its_files(name: str, naru: Naru) -> None:
    shown = naru("show", name).stdout
    assert "columns  id int64, x int64, y int64" in shown and "t-3.csv  100 rows" in shown and "split    hash" in shown


def test_two_datasets_differ_in_spans_and_rows(naru: Naru) -> None:
    shown = naru("diff", "1", "last", "--key", "id").stdout
    for line in (
        "rows     200 -> 300",
        "spans    new: 3",
        "spans    corrected: 2",
        "spans    unchanged: 1",
        "by key   100 added, 0 removed, 100 changed, 100 equal",
    ):
        assert line in shown


def write_statistics(folder: Path, shift: float, rows: int = 200) -> Path:
    """Write the statistics of a column of numbers and one of texts, as validate leaves them."""
    from components.validate.partial_statistics import Accumulator
    from components.validate.statistics import Detail, save
    from components.validate.tfdv_columns import to_lists

    folder.mkdir()
    accumulator = Accumulator(["x", "kind", "same"], Detail(20, 20))
    columns = [
        pa.array([row % 17 + shift for row in range(rows)]),
        pa.array(["ab"[row % 4 < shift] for row in range(rows)]),
        pa.array([row % 5 for row in range(rows)]),
    ]
    names = ["x", "kind", "same"]
    accumulator.add(pa.RecordBatch.from_arrays([to_lists(column) for column in columns], names=names))
    save(accumulator.finish(), folder)
    return folder


def test_two_datasets_differ_in_distributions(naru: Naru, project: Path) -> None:
    assert "drift    not measured: v1: the statistics of champion 1 are missing" in naru("diff", "1", "last").stdout
    for shift, run in enumerate(("20240101-000000-aaaa", "20240201-000000-bbbb")):
        home = project / ".naru" / "runs" / run
        record = json.loads((home / "run.json").read_text())
        record["artifacts"]["statistics"] = str(write_statistics(home / "statistics", float(shift)))
        (home / "run.json").write_text(json.dumps(record))
    shown = [line for line in naru("diff", "aaaa", "bbbb").stdout.splitlines() if line.startswith("drift")]
    assert shown[0] == "drift    2 of 3 columns moved beyond 0.1 (gates.data.drift), 2 at all"
    assert shown[1] == "drift    kind  L-infinity 0.250, effect -1.05 (large); 'a' 100.0% -> 75.0%"
    assert shown[2].startswith("drift    x     Jensen-Shannon 0.1") and shown[2].endswith("mean 7.87 -> mean 8.87")
    assert ", effect +0.21 (small); " in shown[2]
    equal = naru("diff", "aaaa", "aaaa").stdout.splitlines()[-1]
    assert equal == "drift    0 of 3 columns moved beyond 0.1 (gates.data.drift), 0 at all"


def test_a_key_that_is_no_key_and_names_of_nothing_are_refused(naru: Naru) -> None:
    with pytest.raises(DataError, match="183 of 200 rows of v1 have a key that another row has"):
        naru("diff", "1", "last", "--key", "x")
    with pytest.raises(ConfigError, match="there is no column 'nr'"):
        naru("diff", "1", "last", "--key", "nr")
    with pytest.raises(ConfigError, match="there is no dataset '7'"):
        naru("show", "7")
    with pytest.raises(ConfigError, match="matches 2 datasets"):
        naru("show", "2024")


def test_files_that_are_not_as_they_were_read_are_named(naru: Naru, project: Path) -> None:
    assert "3 files are as 20240201-000000-bbbb read them" in naru("verify", "last").stdout
    (project / "t-3.csv").unlink()
    with pytest.raises(DataError, match="files are not as") as refused:
        naru("verify", "v1")
    assert "1 of 2 files are not as v1 read them" in str(refused.value)
    with pytest.raises(DataError, match="1 of 3 files"):
        naru("verify", "last")


def test_tables_that_were_joined_are_shown_compared_and_verified(naru: Naru, project: Path) -> None:
    text = (project / "project.yaml").read_text()
    (project / "project.yaml").write_text(
        text.replace("exclude: [id]", "exclude: [id], join: [{source: j.csv, on: x}]")
    )
    for run, extra in (("20240301-000000-cccc", ""), ("20240302-000000-dddd", "0")):
        (project / "j.csv").write_text("x,name\n" + "".join(f"{x},n{x}{extra}\n" for x in range(16)))
        ingest(project, run)
    shown = naru("show", "last").stdout.splitlines()
    assert shown[-2].startswith("joined   name; ") and shown[-1].startswith("  j.csv  16 rows, ")
    assert "joined   changed: j.csv" in naru("diff", "20240301", "last").stdout
    assert "joined   new: j.csv" in naru("diff", "v1", "last").stdout
    assert "4 files are as 20240302-000000-dddd read them" in naru("verify", "last").stdout
    with pytest.raises(DataError, match="1 of 4 files are not as 20240301-000000-cccc read them"):
        naru("verify", "20240301")


def test_a_table_is_checked_alone_and_a_broken_expectation_exits_with_5(naru: Naru, project: Path) -> None:
    text = (project / "project.yaml").read_text()
    checks = "checks: {columns: {x: {max: 15}, y: {in: [0, 1]}}, rows: {min: 1, max: 250, severity: warn}}"
    (project / "project.yaml").write_text(text.replace("exclude: [id]", f"exclude: [id], {checks}"))
    with pytest.raises(DataBlockedError, match=r"1 of \d checks failed: x max") as refused:
        naru("check")
    assert refused.value.exit_code == 5
    (project / "project.yaml").write_text((project / "project.yaml").read_text().replace("max: 15", "max: 16"))
    shown = naru("check").stdout.splitlines()
    assert shown[0] == "warn    the table has 300 rows; at most 250 are expected"
    assert shown[-1] == "300 rows, 3 columns, 3 files"
    assert naru("check", "--spans", "last 1").stdout.splitlines()[-1] == "100 rows, 3 columns, 1 file"


def test_a_table_of_which_nothing_is_expected_is_read_and_that_is_said(naru: Naru) -> None:
    assert "data.checks expects nothing" in naru("check").stdout


def test_checking_a_table_needs_no_tensorflow(project: Path) -> None:
    code = (
        "import sys; from pipelines.__main__ import app; from typer.testing import CliRunner; "
        f"CliRunner().invoke(app, ['data', 'check', {str(project)!r}], catch_exceptions=False); "
        "sys.exit(any(name.partition('.')[0] in ('tensorflow', 'tfx_bsl', 'keras', 'kfp') for name in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("spans", ["all", "1,3"])
def test_a_project_is_pinned_to_a_dataset_in_its_file(spans: str, naru: Naru, project: Path) -> None:
    text = f"# ours\nname: p\ntask: binary_classification\nlabel: y\ndata:\n  source: t-{{span}}.csv\n  exclude: [id]\n  spans: {spans!r}\n"
    (project / "project.yaml").write_text(text)
    if spans != "all":
        ingest(project, "20240301-000000-cccc")
    pinned = load_project(project / "project.yaml")
    shown = naru("pin", "last").stdout
    fingerprint = Manifest.load(sorted((project / ".naru" / "runs").iterdir())[-1] / "examples").fingerprint
    now = load_project(project / "project.yaml")
    assert now.data.pin == fingerprint[:16] and now.data.pin in shown
    assert now.data.model_copy(update={"pin": "", "spans": spans}) == pinned.data
    assert (project / "project.yaml").read_text().startswith("# ours\n")
    assert Manifest.load(ingest(project, "20240401-000000-dddd")).fingerprint == fingerprint


def test_the_rows_of_a_version_are_kept_for_other_projects(naru: Naru, project: Path, tmp_path: Path) -> None:
    shown = naru("keep", "1").stdout.splitlines()
    assert shown[0].startswith("200 rows in 6 files: file://")
    assert shown[1] == "another project of this store reads them with source: naru://p@1"
    text = (project / "project.yaml").read_text()
    (project / "project.yaml").write_text(text.replace("'t-{span}.csv'", "'naru://p@1'"))
    assert naru("check").stdout.splitlines()[-1] == "200 rows, 3 columns, 6 files"
    with pytest.raises(ConfigError, match="bbbb is a run"):
        naru("keep", "last")


def test_rows_that_are_not_on_this_machine_cannot_be_kept(naru: Naru, project: Path) -> None:
    shutil.rmtree(project / ".naru" / "runs" / "20240101-000000-aaaa")
    with pytest.raises(ConfigError, match="the rows of v1 are not on this machine"):
        naru("keep", "v1")
