"""What a stage's work is known by, what of an earlier run is used, and how."""

import json
from pathlib import Path
from typing import Any

import pytest

from components._core.project.project_file import load_project
from components._core.project.stage_config import EVERYTHING, restrict
from components._core.stage.user_code import pack_code
from components.stages import STAGES
from pipelines.graphs.pipelines import TRAINING
from pipelines.local import stage_cache

PROJECT = """
name: small
task: binary_classification
label: late
data: {source: "rows.csv", exclude: [id]}
train: {epochs: 2}
gates: {model: {thresholds: {auc: {min: 0.7}}}}
"""
CODE = {"preprocessing.py": "import scales\n", "model.py": "import scales\n", "scales.py": "TEN = 10\n"}
CHANGES: dict[str, Any] = {
    "data.quarantine_limit": 0.5,
    "train.epochs": 5,
    "train.seed": 5,
    "tune.epochs": 5,
    "gates.data.drift": 0.5,
    "gates.model.min_gain": 0.5,
    "gates.model.slices": ["origin"],
    "gates.serving.p95_ms": 5,
    "serve.port": 5,
}


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "site" / "numpy-1.26.4.dist-info").mkdir(parents=True)
    monkeypatch.setenv(stage_cache.HOME, str(tmp_path / "cache"))
    monkeypatch.setenv(stage_cache.PACKAGES, str(tmp_path / "site"))
    monkeypatch.delenv(stage_cache.FRESH, raising=False)


def project(folder: Path, files: dict[str, str] = CODE, **changes: Any) -> tuple[str, Path]:
    """The project's JSON and its code archive."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "project.yaml").write_text(PROJECT)
    for name, text in files.items():
        (folder / name).write_text(text)
    loaded = load_project(folder, {place.replace("__", "."): value for place, value in changes.items()})
    pack_code(folder, loaded, folder / "code.zip")
    return loaded.to_json(), folder / "code.zip"


def rows(folder: Path, text: str = "1,2") -> Path:
    (folder / "examples" / "train").mkdir(parents=True, exist_ok=True)
    (folder / "examples" / "train" / "rows").write_text(text)
    return folder / "examples"


def key(stage: str, folder: Path, text: str = "1,2", files: dict[str, str] = CODE, **changes: Any) -> str:
    """The key of a stage, its project, code and rows in a folder of their own."""
    raw, code = project(folder, files, **changes)
    parameters = {"project": raw, "code_uri": str(code), "code_fingerprint": str(files), "run": folder.name}
    return stage_cache.key_of(stage, parameters, {"examples": str(rows(folder, text))})


@pytest.mark.parametrize("stage", TRAINING.stage_names)
def test_the_same_in_another_folder_and_run_has_the_same_key(stage: str, tmp_path: Path) -> None:
    assert key(stage, tmp_path / "one") == key(stage, tmp_path / "with a späce")


@pytest.mark.parametrize("stage", TRAINING.stage_names)
@pytest.mark.parametrize("place", CHANGES)
def test_a_key_changes_with_what_its_stage_reads_of_the_project_and_with_nothing_else(
    stage: str, place: str, tmp_path: Path
) -> None:
    changed = key(stage, tmp_path / "two", **{place.replace(".", "__"): CHANGES[place]})
    reads = any(f"{place}.".startswith(f"{row}.") for row in STAGES[stage].reads)
    assert (key(stage, tmp_path / "one") != changed) == reads


def test_a_key_changes_with_a_parameter_an_input_and_a_gate(tmp_path: Path) -> None:
    known = key("evaluate", tmp_path / "a")
    assert key("evaluate", tmp_path / "b", text="1,3") != known
    assert key("evaluate", tmp_path / "c", gates__model__min_gain=0.1) != known
    raw, _ = project(tmp_path / "a")
    inputs = {"examples": str(tmp_path / "a" / "examples")}
    champions = [stage_cache.key_of("evaluate", {"project": raw, "champion": each}, inputs) for each in ("none", "{}")]
    assert champions[0] != champions[1]


def test_a_gate_does_not_train_anew(tmp_path: Path) -> None:
    changed: dict[str, Any] = {"gates__model__min_gain": 0.1, "gates__serving__p95_ms": 5}
    for stage in ("transform", "tune", "train"):
        assert key(stage, tmp_path / "a") == key(stage, tmp_path / "b", **changed)


def test_a_key_changes_with_the_packages(tmp_path: Path) -> None:
    known = key("train", tmp_path / "a")
    (tmp_path / "site" / "numpy-1.26.4.dist-info").rename(tmp_path / "site" / "numpy-1.26.5.dist-info")
    assert key("train", tmp_path / "a") != known


def test_a_key_changes_with_narus_own_code_for_the_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("stages.py", "_core/files.py", "train/train.py", "evaluate/gates.py"):
        (tmp_path / "naru" / "components" / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "naru" / "components" / place).write_text("ONE = 1\n")
    monkeypatch.setattr(stage_cache, "_REPOSITORY", tmp_path / "naru")
    known = [key(stage, tmp_path / "a") for stage in ("train", "evaluate")]
    (tmp_path / "naru" / "components" / "train" / "train.py").write_text("ONE = 2\n")
    changed = [key(stage, tmp_path / "a") for stage in ("train", "evaluate")]
    assert (changed[0] != known[0], changed[1] != known[1]) == (True, False)
    (tmp_path / "naru" / "components" / "_core" / "files.py").write_text("ONE = 2\n")
    assert key("evaluate", tmp_path / "a") != known[1]


@pytest.mark.parametrize(
    ("file", "text", "rerun"),
    [
        ("model.py", "ONE = 2\n", {"tune", "train"}),
        ("preprocessing.py", "ONE = 2\n", {"transform", "tune", "train"}),
        ("scales.py", "TEN = 11\n", {"transform", "tune", "train"}),
        ("schema.pbtxt", "feature {}\n", {"validate", "transform", "tune", "train"}),
    ],
)
def test_a_change_of_code_touches_the_stages_that_go_by_it(
    file: str, text: str, rerun: set[str], tmp_path: Path
) -> None:
    stages = ("validate", "transform", "tune", "train")
    changed = {**CODE, file: text}
    assert {
        stage for stage in stages if key(stage, tmp_path / "a") != key(stage, tmp_path / "b", files=changed)
    } == rerun


@pytest.mark.parametrize(
    "line",
    ["import model", "from model import units", "from . import model", "import importlib", "exec('import model')", "("],
)
def test_preprocessing_that_may_import_the_model_goes_by_it_too(line: str, tmp_path: Path) -> None:
    before = {**CODE, "preprocessing.py": line + "\n"}
    after = {**before, "model.py": "ONE = 2\n"}
    assert key("transform", tmp_path / "a", files=before) != key("transform", tmp_path / "b", files=after)


def made(folder: Path, stage: str = "train", known: str = "k") -> Path:
    """A task that ended and is remembered."""
    task = folder / "runs" / "run-1" / "training-1" / stage
    (task / "model" / "variables").mkdir(parents=True)
    (task / "model" / "variables" / "data").write_bytes(b"1" * 1000)
    (task / "page").write_text("<p>")
    metadata = {"verdict": "ok", "import_seconds": 5.0, "work_seconds": 9.0}
    record = {"artifacts": {"model": {"artifacts": [{"uri": str(task / "model"), "metadata": metadata}]}}}
    (task / "executor_output.json").write_text(json.dumps(record))
    stage_cache.keep(stage, known, task, ["model", "page"])
    return task


def take(folder: Path, run: str, known: str = "k") -> Path:
    task = folder / "runs" / run / "training-1" / "train"
    entry = stage_cache.find_entry("train", known)
    assert entry is not None
    stage_cache.reuse("train", known, entry, task, [{"stage": "tune", "verdict": "skipped"}])
    return task


def test_what_is_reused_is_linked_and_listed_with_the_paths_of_this_run(tmp_path: Path) -> None:
    earlier, task = made(tmp_path), take(tmp_path, "run-2")
    for name in ("model/variables/data", "page"):
        assert (earlier / name).samefile(task / name)
    written = json.loads((task / "executor_output.json").read_text())["artifacts"]["model"]["artifacts"][0]
    assert written["uri"] == str(task / "model")
    assert written["metadata"] == {
        "verdict": "ok",
        "import_seconds": 0.0,
        "work_seconds": 0.0,
        "earlier_stages": '[{"stage": "tune", "verdict": "skipped"}]',  # of this run
    }
    assert not list(task.glob("*.partial"))


def test_an_earlier_run_may_be_removed_when_a_later_one_has_taken_over(tmp_path: Path) -> None:
    import shutil

    made(tmp_path)
    take(tmp_path, "run-2")
    shutil.rmtree(tmp_path / "runs" / "run-1")
    task = take(tmp_path, "run-3")
    assert (task / "model" / "variables" / "data").read_bytes() == b"1" * 1000
    assert stage_cache.find_entry("train", "k")["run"] == "run-1"  # type: ignore[index]


@pytest.mark.parametrize("damage", ["changed", "removed", "added", "gone", "unlisted", "mislisted"])
def test_a_damaged_or_missing_output_is_not_used(damage: str, tmp_path: Path) -> None:
    task = made(tmp_path)
    assert stage_cache.find_entry("train", "k") is not None
    match damage:
        case "changed":
            (task / "model" / "variables" / "data").write_bytes(b"2" * 1000)
        case "removed":
            (task / "model" / "variables" / "data").unlink()
        case "added":
            (task / "model" / "more").touch()
        case "gone":
            task.rename(tmp_path / "elsewhere")
        case "unlisted":
            (task / "executor_output.json").unlink()
        case "mislisted":
            (task / "executor_output.json").write_text('{"artifacts": ')
    assert stage_cache.find_entry("train", "k") is None


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"task": 1}', '{"task": "x", "outputs": []}', "\udcff"])
def test_a_damaged_entry_is_none(text: str, tmp_path: Path) -> None:
    made(tmp_path)
    (tmp_path / "cache" / "train" / "k.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert stage_cache.find_entry("train", "k") is None


@pytest.mark.parametrize("stage", [stage.name for stage in TRAINING.stages if stage.side_effects])
def test_a_stage_with_side_effects_is_never_reused(stage: str, tmp_path: Path) -> None:
    made(tmp_path, stage)
    assert not (tmp_path / "cache").exists()
    assert not stage_cache.may_reuse(stage)


def test_from_a_stage_on_everything_runs_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(stage_cache.FRESH, ",".join(TRAINING.from_stage("train")))
    assert [stage for stage in TRAINING.stage_names if stage_cache.may_reuse(stage)] == [
        "ingest",
        "validate",
        "transform",
        "tune",
    ]
    monkeypatch.setenv(stage_cache.FRESH, ",".join(TRAINING.stage_names))
    assert not any(stage_cache.may_reuse(stage) for stage in TRAINING.stage_names)


def test_a_stage_is_given_the_defaults_of_what_it_does_not_go_by(tmp_path: Path) -> None:
    raw = json.loads(project(tmp_path / "a")[0])
    seen = restrict(raw, "transform")
    assert set(EVERYTHING) & set(seen) == {"data"}
    assert seen["data"]["exclude"] == ["id"]
    assert {name: seen[name] for name in ("name", "task", "label", "code")} == {
        name: raw[name] for name in ("name", "task", "label", "code")
    }
