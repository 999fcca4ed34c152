"""The stage runs in naru-light: what it imports and does needs none of the packages that only naru-stages has."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

from components._core.files import write_text
from components._core.store.ledger import Deployment, append_deployment
from tests.pipelines.approving import write_version

IMAGES = Path(__file__).resolve().parents[4] / "images"
PROJECT = """\
name: tiny
task: regression
label: y
data: {source: t.csv}
feedback: {labels: {source: labels.csv, id: id, row: row, label: y, time: t}}
serve: {request_log: {}}
"""
_PROGRAM = """
import json, sys
from datetime import UTC, datetime
from pathlib import Path

class Absent:
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"not in naru-light: {name}", name=name)

absent, folder = set(json.loads(sys.argv[1])), Path(sys.argv[2])
sys.meta_path.insert(0, Absent())
import components.deploy.settle.settle
from components._core.project.project_file import load_project
from components.deploy.settle.look import label_reader

table = label_reader(load_project(folder), str(folder / ".naru" / "store"), folder)(datetime.now(UTC))
print(table.num_rows)
"""


def test_it_reads_labels_without_what_only_the_other_image_has(tmp_path: Path) -> None:
    folder, store = tmp_path / "p", tmp_path / "p" / ".naru" / "store"
    write_text(folder / "project.yaml", PROJECT)
    model, digest, _ = write_version(store, "1")
    line = Deployment("1", model, "", "", {}, "f", "run-1", "2026-01-01T00:00:00+00:00", "me", "a test", digest)
    append_deployment(str(store), "tiny", line)
    lines = [f"r{number},0,{number}.5,2026-01-01T00:00:00Z" for number in range(5)]
    (folder / "labels.csv").write_text("\n".join(["id,row,y,t", *lines, ""]))
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, json.dumps(_absent()), str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "5\n"), done.stderr


def _absent() -> list[str]:
    """Top modules of the packages of naru-stages that naru-light does not have."""
    theirs, ours = _packages("stages"), _packages("light")
    found = {name: {*map(_plain, packages)} for name, packages in packages_distributions().items()}
    return sorted(name for name, packages in found.items() if packages & (theirs - ours) and not packages & ours)


def _packages(image: str) -> set[str]:
    text = (IMAGES / image / "requirements.txt").read_text()
    return {_plain(name) for name in re.findall(r"^([\w.-]+)==", text, re.MULTILINE)}


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
