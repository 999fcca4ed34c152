"""Bad input, as a person meets it: `naru run` says what is wrong, where and what to do, by its exit code too, and leaves no mess.

Those that end before TensorFlow is needed, one process each. What a stage refuses is tested beside the stage.
"""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.local.conftest import ROOT
from tests.representatives import representatives

pytestmark = pytest.mark.slow

PROJECT = "name: bad\ntask: binary_classification\nlabel: y\ndata: {source: t.csv}\n"
ROWS = "x,y\n" + "".join(f"{n},{n % 2}\n" for n in range(50))
FILES = {
    "project.yaml": PROJECT,
    "t.csv": ROWS,
    "preprocessing.py": "def preprocessing_fn(inputs):\n    return dict(inputs)\n",
    "model.py": "def build_model(inputs, transform, hyperparameters):\n    return None\n",
}
SPANS = {"project.yaml": PROJECT.replace("t.csv", "'t-{span}.csv'"), "t-1.csv": ROWS}


@dataclass(frozen=True)
class Bad:
    """A case: the files that differ (None: it is not there), arguments, and what must be reported."""

    name: str
    code: int
    message: str
    remedy: str
    files: dict[str, str | bytes | None] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    where: str = "project.yaml"


CONFIG = [
    Bad(
        "a_wrong_type",
        2,
        "train.epochs: found 'many'; must be a whole number",
        "naru schema",
        {"project.yaml": PROJECT + "train: {epochs: many}\n"},
    ),
    Bad(
        "an_unknown_field",
        2,
        "trian: unknown field; did you mean 'train'?",
        "correct the file",
        {"project.yaml": PROJECT + "trian: {epochs: 3}\n"},
    ),
    Bad(
        "a_missing_label",
        2,
        "label: is missing and has no default",
        "correct the file",
        {"project.yaml": PROJECT.replace("label: y\n", "")},
    ),
    Bad(
        "a_field_twice",
        2,
        "duplicate key 'label'",
        "keep one",
        {"project.yaml": PROJECT + "label: z\n"},
        where="project.yaml, line 5",
    ),
    Bad(
        "no_yaml",
        2,
        "is not valid YAML",
        "check this line",
        {"project.yaml": "name: [bad\nlabel: y\n"},
        where="project.yaml, line 2",
    ),
    Bad(
        "no_utf8",
        2,
        "is not UTF-8 (byte 71)",
        "save it as UTF-8",
        {"project.yaml": (PROJECT + "# \u00e9\n").encode("latin-1")},
    ),
    Bad("an_empty_file", 2, "has no fields", "naru new", {"project.yaml": ""}),
    Bad("no_project_file", 2, "there is no such project file", "naru new", {"project.yaml": None}),
    Bad(
        "a_setting_without_value",
        2,
        "found 'train.epochs'",
        "write FIELD=VALUE",
        arguments=("--set", "train.epochs"),
        where="--set",
    ),
    Bad("a_setting_of_dots", 2, "found '..=3'", "write FIELD=VALUE", arguments=("--set", "..=3"), where="--set"),
    Bad(
        "a_setting_of_no_field",
        2,
        "epoch: unknown field; did you mean 'epochs'? (from the command line)",
        "naru schema",
        arguments=("--set", "train.epoch=3"),
    ),
    Bad(
        "an_unknown_stage",
        2,
        "there is no stage 'trian'; did you mean 'train'?",
        "",
        arguments=("--from", "trian"),
        where="--from",
    ),
]
EARLY = [
    Bad("no_such_file", 4, "there is no such file", "correct data.source", {"t.csv": None}, where="t.csv"),
    Bad("no_such_span", 4, "no span 2-3", "available spans: 1", SPANS, ("--spans", "1-3"), "data.spans"),
    Bad(
        "spans_that_nobody_understands",
        2,
        "found 'newest'",
        "allowed: all, 7",
        SPANS,
        ("--spans", "newest"),
        "data.spans",
    ),
    Bad("no_code", 2, "there is no such file", "write it, or correct `code`", {"model.py": None}, where="model.py"),
    Bad(
        "a_file_in_place_of_the_hidden_folder", 2, "is not a folder", "move it away", {".naru": "a file"}, where=".naru"
    ),
    Bad(
        "a_damaged_ledger",
        7,
        "damaged line of the deployment ledger",
        "restore the file",
        {".naru/store/bad/deployments/000001.json": "{"},
        where="000001.json",
    ),
]
STAGE = [
    Bad(
        "a_ragged_row",
        4,
        "3 fields where the header has 2",
        "data.quarantine_limit",
        {"t.csv": ROWS + "1,2,3\n"},
        where="t.csv, line 52",
    ),
    Bad(
        "text_in_a_later_span",
        4,
        "column 'x': 'oops' is not a number",
        "correct the rows",
        {**SPANS, "t-2.csv": ROWS + "oops,1\n"},
        ("--set", "data.odd_cells=quarantine"),
        where="t-2.csv, line 52",
    ),
    Bad(
        "an_unknown_column",
        2,
        "there is no column 'z'",
        "correct project.yaml",
        arguments=("--set", "data.exclude=[z]"),
        where="data.exclude",
    ),
]


def _write(folder: Path, files: dict[str, str | bytes | None]) -> Path:
    for name, content in files.items():
        if content is not None:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def _naru(*arguments: str) -> tuple[int, dict[str, object], str]:
    command = [sys.executable, "-m", "pipelines", *arguments]
    world = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=world, timeout=600, check=False)
    assert "Traceback" not in done.stderr + done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout), done.stderr


CASES = [*CONFIG, *EARLY, *STAGE]
IN_CI = ("an_unknown_field", "no_utf8", "an_unknown_stage", "a_damaged_ledger", "text_in_a_later_span")


@pytest.mark.parametrize(
    "bad", representatives(CASES, *(bad for bad in CASES if bad.name in IN_CI)), ids=lambda bad: bad.name
)
def test_bad_input_is_reported_with_its_place_and_what_to_do(bad: Bad, tmp_path: Path) -> None:
    folder = _write(tmp_path, {**FILES, **bad.files})
    before = {path.name for path in folder.iterdir()}
    code, record, seen = _naru("run", str(folder), *bad.arguments, "--json")
    error = record["error"]
    assert isinstance(error, dict)
    assert (code, record["exit_code"]) == (bad.code, bad.code)
    assert bad.message in error["message"]
    assert bad.where in error["where"]
    assert bad.remedy in error["remedy"] and (error["remedy"] or "did you mean" in error["message"])
    assert bad.message.split()[0] in seen
    assert {path.name for path in folder.iterdir()} - before <= ({".naru"} if bad not in CONFIG else set())
    assert not list(folder.rglob("*.partial"))


def test_a_folder_in_place_of_the_project_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "project.yaml").mkdir()
    code, record, _ = _naru("run", str(tmp_path), "--json")
    assert (code, record["status"]) == (2, "failed")


def test_a_long_file_whose_encoding_shows_in_its_middle_is_read_from_its_start_again(tmp_path: Path) -> None:
    """Arrow reads on while the first pass ends: that must not become an abort. It did so three times in four."""
    rows = [b"%d,%d,a%d\n" % (n, n * 7 % 13, n % 2) for n in range(1_000_000)]
    rows[500_000] = b"1,2,caf\xe9\n"
    (tmp_path / "t.csv").write_bytes(b"x,z,y\n" + b"".join(rows))
    for number in range(3):
        made = tmp_path / f"made{number}"
        command = [sys.executable, "-m", "pipelines", "new", str(made), "--data", str(tmp_path / "t.csv")]
        done = subprocess.run([*command, "--label", "y"], capture_output=True, text=True, cwd=ROOT, timeout=600)
        assert done.returncode == 0 and "cp1252" in done.stdout, done.stderr
        assert "encoding: cp1252" in (made / "project.yaml").read_text()


def _reads(process: int, file: Path) -> bool:
    """Whether a process has a file open at this moment."""
    try:
        return any(entry.samefile(file) for entry in Path(f"/proc/{process}/fd").iterdir() if entry.exists())
    except OSError:  # it closed it, or ended, meanwhile
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells what a process reads")
def test_an_interrupted_new_leaves_no_folder(tmp_path: Path) -> None:
    table = _write(tmp_path, {"t.csv": "x,z,y\n" + "".join(f"{n},{n * 7 % 13},{n % 2}\n" for n in range(300_000))})
    command = [
        sys.executable,
        "-m",
        "pipelines",
        "new",
        str(tmp_path / "made"),
        "--data",
        str(table / "t.csv"),
        "--label",
        "y",
    ]
    for sent in (signal.SIGINT, signal.SIGKILL, signal.SIGTERM):
        begun = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        while begun.poll() is None and not _reads(begun.pid, table / "t.csv"):
            time.sleep(0.01)
        begun.send_signal(sent)
        _, errors = begun.communicate(timeout=300)
        made = tmp_path / "made"
        assert begun.returncode != 0 or (made / "project.yaml").exists()
        assert not made.exists() or {path.name for path in made.iterdir()} >= {
            "project.yaml",
            "model.py",
            "preprocessing.py",
        }
        if sent == signal.SIGINT:
            assert begun.returncode in (0, 130) and b"Traceback" not in errors, errors
