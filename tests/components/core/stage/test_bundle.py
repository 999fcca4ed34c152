"""Small artifacts of earlier stages travel inside those of later ones."""

from pathlib import Path

import pytest

from components._core.checks import Outcome
from components._core.errors import DataError
from components._core.stage.bundle import bundled
from components._core.stage.lifecycle import stage
from components._core.stage.stage_end import list_records
from components.stages import DEPLOY, REGISTER, TRAIN, TRANSFORM, TUNE, VALIDATE
from tests.components.core.stage.test_lifecycle import Artifact


def artifact(folder: Path, name: str, **files: str) -> Artifact:
    (folder / name).mkdir(parents=True)
    for file, text in files.items():
        (folder / name / file).write_text(text)
    return Artifact(str(folder / name))


def make(record: Artifact, spec: object, text: str, **travels: object) -> Artifact:
    with stage(spec, record, **travels) as this:  # type: ignore[arg-type]
        (this.folder(record) / "own").write_text(text)
        this.done(Outcome(reason=text))
    return record


@pytest.fixture
def history(tmp_path: Path) -> Artifact:
    """What train leaves, after validate's schema, transform and tune."""
    schema = artifact(tmp_path / "validate", "schema", pbtxt="columns")
    graph = make(Artifact(str(tmp_path / "transform" / "graph")), TRANSFORM, "graph", bundle={"schema": schema})
    tuned = make(Artifact(str(tmp_path / "tune" / "hyperparameters")), TUNE, "units", after=[graph])
    made = Artifact(str(tmp_path / "train" / "history"))
    return make(made, TRAIN, "loss", after=[graph], bundle={"hyperparameters": tuned})


def test_what_is_bundled_is_a_copy_and_travels_on(history: Artifact, tmp_path: Path) -> None:
    assert (bundled(Path(history.path), "schema") / "pbtxt").read_text() == "columns"
    assert (bundled(Path(history.path), "hyperparameters") / "own").read_text() == "units"
    registered = make(Artifact(str(tmp_path / "registration")), REGISTER, "version", bundle={"history": history})
    folder = Path(registered.path)
    assert sorted(path.name for path in (folder / "bundle").iterdir()) == ["history", "hyperparameters", "schema"]
    assert [path.name for path in bundled(folder, "history").iterdir()] == ["own"]  # what it bundled lies beside it


def test_an_input_that_is_not_bundled_leaves_only_what_it_bundles(history: Artifact) -> None:
    assert {path.name for path in (Path(history.path) / "bundle").iterdir()} == {"schema", "hyperparameters"}


def test_the_records_of_the_earlier_stages_travel_in_the_order_in_which_they_ran(
    history: Artifact, tmp_path: Path
) -> None:
    validation = make(Artifact(str(tmp_path / "validation")), VALIDATE, "checked")
    both = {"validation": validation, "history": history}
    registered = make(Artifact(str(tmp_path / "registration")), REGISTER, "version", bundle=both)
    with stage(DEPLOY, Artifact(str(tmp_path / "rollout")), after=[registered]) as this:
        records = this.earlier()
        this.folder(this.record)
        this.done(Outcome())
    assert [record["stage"] for record in records] == ["validate", "transform", "tune", "train", "register"]
    assert [record["reason"] for record in records] == ["checked", "graph", "units", "loss", "version"]
    assert all("earlier_stages" not in record for record in records)


def test_metadata_without_a_record_adds_none() -> None:
    assert list_records([{}, {"name": "an artifact that another stage wrote"}]) == []


def test_an_artifact_without_the_bundle_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="registration does not bundle evaluation") as caught:
        bundled(tmp_path / "registration", "evaluation")
    assert "without its cache" in caught.value.remedy
