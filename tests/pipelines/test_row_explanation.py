"""`naru explain` and `naru trace`: which row and model they take, and that they say what the server answers."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.cells import cell_len
from sklearn.linear_model import LogisticRegression

from components._core.errors import ConfigError, DataError, NaruError
from components._core.examples.artifact import Manifest, split_file
from components._core.files import write_json
from components._core.store.ledger import Deployment, append_deployment
from components._core.store.object_store import absolute_uri, upload
from components._core.types.artifact_files import ONNX_MODEL, SAMPLE
from components._core.types.signature import Feature
from components._frameworks.table import load_model
from components._predictor.predictor import load
from components.evaluate.parity_samples import take_sample
from pipelines.row_explanation.explained_row import ExplainedRow, explain_row
from pipelines.row_explanation.row_lines import WIDTH, explanation_lines, trace_lines
from tests.components.tiny_models import write_examples, write_model

ROOT = Path(__file__).resolve().parents[2]
ROW = {"delay": 40.0, "month": 12, "carrier": "CC", "noise": 0.5}
DATATYPES = {"delay": "FP32", "month": "INT64", "carrier": "BYTES", "noise": "FP32"}


def add_run(project: Path, name: str, **artifacts: Path) -> None:
    """A run as its record says it, with some artifacts."""
    paths = {artifact: str(path) for artifact, path in artifacts.items()}
    write_json(project / ".naru" / "runs" / name / "run.json", {"run": name, "artifacts": paths})


def add_ids(examples: Path, name: str = "order_id") -> Path:
    """Give the rows ids, as in `test-5`, of which the last two rows of a split have the same."""
    for split in ("train", "test"):
        path = split_file(examples, split, 1)
        table = pq.read_table(path)
        ids = [f"{split}-{min(row, table.num_rows - 2)}" for row in range(table.num_rows)]
        pq.write_table(table.append_column(name, pa.array(ids)), path)
    manifest = Manifest.load(examples)
    manifest.columns[name] = "string"
    manifest.save(examples)
    return examples


def body_of(row: dict[str, Any]) -> dict[str, Any]:
    inputs = [
        {"name": name, "datatype": DATATYPES.get(name, "FP32"), "shape": [1], "data": [value]}
        for name, value in row.items()
    ]
    return {"inputs": inputs}


@pytest.fixture
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_examples(tmp_path_factory.mktemp("rows"), "binary_classification", rows=60)


@pytest.fixture
def flown(champion: Path, examples: Path) -> Path:
    """A project with a champion and the rows of its run."""
    add_run(champion, "run", examples=examples)
    return champion


@pytest.fixture
def ordered(champion: Path, examples: Path) -> Path:
    """The same, whose rows have ids."""
    add_run(champion, "run", examples=add_ids(examples))
    return champion


@pytest.fixture
def explain(tmp_path: Path) -> Callable[..., ExplainedRow]:
    def run(project: Path, *rows: str, body: Any = None, **options: Any) -> ExplainedRow:
        file = None
        if body is not None:
            file = tmp_path / "body.json"
            file.write_text(body if isinstance(body, str) else json.dumps(body))
        return explain_row(project, list(rows), file, **options)

    return run


Explain = Callable[..., ExplainedRow]


def test_a_row_of_the_test_split_has_the_answer_of_the_predictor_and_parts_that_add_up(
    flown: Path, examples: Path, explain: Explain
) -> None:
    found = explain(flown, "17", transformed=True)
    row = pq.read_table(split_file(examples, "test", 1)).slice(17, 1).to_pylist()[0]
    assert found.values == {name: pytest.approx(row[name]) for name in found.values}
    assert found.row.label == str(row["y"]) and found.row.title == "row 17 of the test split"
    model = flown / ".naru" / "store" / "tiny" / "models" / "1" / "artifacts" / "model"
    columns = {name: [value] for name, value in found.values.items()}
    assert found.outputs["probability"] == float(load(model).predict(columns)["probability"][0])
    shapley = found.explanation.shapley
    assert sum(shapley.values.values()) == pytest.approx(found.score - shapley.base, abs=1e-6)
    assert (
        found.explained == "probability of y = 1"
        and found.answer == ("1" if found.score >= 0.5 else "0")
        and found.threshold == 0.5
    )
    assert found.model == "version 4, the champion" and "training rows of run run" in found.background
    assert found.transformed is None, "this model has no preprocessing_fn in front"


def test_a_threshold_of_its_own_decides(flown: Path, explain: Explain) -> None:
    model = flown / ".naru" / "store" / "tiny" / "models" / "1" / "artifacts" / "model"
    score = explain(flown, "17").score
    write_json(model / "reference.json", {"row": {}, "ranges": {}, "threshold": score + 0.001})
    assert (found := explain(flown, "17")).answer == "0" and found.threshold == pytest.approx(score + 0.001)
    write_json(model / "reference.json", {"row": {}, "ranges": {}, "threshold": score - 0.001})
    assert explain(flown, "17").answer == "1"


def test_an_id_finds_the_row_of_any_split(ordered: Path, examples: Path, explain: Explain) -> None:
    found = explain(ordered, "train-5")
    row = pq.read_table(split_file(examples, "train", 1)).slice(5, 1).to_pylist()[0]
    assert found.row.title == "order_id=train-5 (row 5 of the train split)"
    assert found.values["noise"] == pytest.approx(row["noise"])
    assert explain(ordered, "order_id=train-5", f"month={row['month']}").values == found.values


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["test-99"], "no row has order_id=test-99; the rows are those of run run"),
        (["test-58"], "2 rows have order_id=test-58 (test row 58; test row 59)"),
        (["carrier=AA"], "rows have carrier=AA ("),
        (["ordre_id=test-5"], "there is no column 'ordre_id'; did you mean 'order_id'?"),
        (["test-5", "test-6"], "several must be COLUMN=VALUE"),
        ([], "name one row, with --row or with --json-row"),
    ],
)
def test_an_id_that_is_unknown_or_not_unique_is_refused(
    rows: list[str], message: str, ordered: Path, explain: Explain
) -> None:
    with pytest.raises(ConfigError) as caught:
        explain(ordered, *rows)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("60", "there is no row 60 in the test split; it has rows 0 to 59"),
        ("A-204", "found 'A-204'; no column is an id by its name"),
        ("-1", "found '-1'"),
    ],
)
def test_a_row_beyond_the_test_split_is_refused(row: str, message: str, flown: Path, explain: Explain) -> None:
    with pytest.raises(ConfigError) as caught:
        explain(flown, row)
    assert message in str(caught.value)


def test_the_body_of_a_request_is_explained_as_it_is_answered(flown: Path, explain: Explain) -> None:
    found = explain(flown, body=body_of(ROW))
    assert found.values == ROW and found.row.label is None
    assert explain(flown, body=body_of({**ROW, "delay": None})).values["delay"] is None
    assert explain(flown, body=body_of({name: ROW[name] for name in ROW if name != "delay"})).values["delay"] is None


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("{", "is not a request of the Open Inference Protocol"),
        ({"rows": []}, "is not a request of the Open Inference Protocol"),
        (body_of({**ROW, "extra": 1.0}), "unknown feature 'extra'"),
        (body_of({name: ROW[name] for name in ROW if name != "month"}), "'month' is missing; it is required, as int64"),
        (body_of({**ROW, "month": None}), "the value is missing; this feature is not nullable"),
        (body_of({**ROW, "carrier": 7}), "7 is not a text"),
        ({"inputs": body_of(ROW)["inputs"] * 2}, "is given twice"),
        ({"inputs": [{**each, "data": each["data"] * 3} for each in body_of(ROW)["inputs"]]}, "has 3 rows"),
        ({"inputs": [{**each, "datatype": "FP64"} for each in body_of(ROW)["inputs"]]}, "is sent as FP64"),
    ],
)
def test_a_bad_request_is_refused(body: Any, message: str, flown: Path, explain: Explain) -> None:
    with pytest.raises(NaruError) as caught:
        explain(flown, body=body)
    assert message in str(caught.value) and isinstance(caught.value, ConfigError | DataError)


def log_answer(project: Path, answer: str, hour: int = 9, **changes: Any) -> None:
    """A line of the request log: two rows, the second of another carrier."""
    rows = {name: [value, "AA" if name == "carrier" else value] for name, value in ROW.items()}
    line = {
        "id": answer,
        "time": f"2026-01-31T{hour:02}:05:00+00:00",
        "model": "tiny",
        "version": "4",
        "latency_ms": 1.5,
    }
    line |= {"masked": [], "inputs": rows, "outputs": {"probability": [0.99, 0.9]}, **changes}
    folder = project / ".naru" / "store" / "tiny" / "requests" / "dt=2026-01-31" / f"hour={hour:02}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "pod-1-a.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")


def test_an_answered_request_is_explained_by_its_id_with_the_version_that_answered(
    flown: Path, explain: Explain
) -> None:
    log_answer(flown, "order 7:2")
    log_answer(flown, "other")
    found = explain(flown, request="order 7:2")
    assert found.values == ROW and found.version == "4" and found.row.answered == {"probability": 0.99}
    assert found.row.title == "row 0 of request order 7:2, answered 2026-01-31 09:05:00 UTC"
    assert explain(flown, request="order 7:2:1").values["carrier"] == "AA"
    assert "then it was answered probability 0.99" in "\n".join(trace_lines(found))


def test_an_answer_that_is_not_in_the_log_not_whole_or_not_alone_is_refused(flown: Path, explain: Explain) -> None:
    log_answer(flown, "twice")
    log_answer(flown, "twice")
    log_answer(
        flown,
        "masked",
        masked=["carrier"],
        inputs={**{name: [value] for name, value in ROW.items()}, "carrier": None},
        outputs={"probability": [0.9]},
    )
    log_answer(flown, "theirs", model="another")
    log_answer(flown, "gone", version="2")
    for request, message in (
        ("unknown", "the request log has no answer with the id 'unknown'"),
        ("theirs", "the request log has no answer with the id 'theirs'"),
        ("twice", "2 answers of one hour have the id 'twice'"),
        ("masked", "the log masks carrier of it"),
        ("gone:2", "there is no row 2 in the request; it has rows 0 to 1"),
        ("gone", "there is no deployed version '2'"),
    ):
        with pytest.raises(ConfigError) as caught:
            explain(flown, request=request)
        assert message in str(caught.value)
    with pytest.raises(ConfigError, match="name one row"):
        explain(flown, "3", request="twice")


def test_an_id_that_no_row_here_has_may_be_that_of_an_answer(ordered: Path, explain: Explain) -> None:
    log_answer(ordered, "late-77")
    found = explain(ordered, "late-77:1", transformed=True)
    assert found.row.title.startswith("row 1 of request late-77") and found.values["carrier"] == "AA"
    assert found.row.answered is not None
    assert explain(ordered, "train-5").row.answered is None, "a row here is found first"
    with pytest.raises(
        ConfigError, match=r"no row has order_id=gone.*; the request log has no answer with the id"
    ) as no:
        explain(ordered, "gone")
    assert "--request ID" in no.value.remedy
    for named, message in (
        ("order_id=late-77", "no row has order_id=late-77"),
        ("test-58", "2 rows have order_id=test-58"),
    ):
        with pytest.raises(ConfigError) as refused:
            explain(ordered, named)
        assert message in refused.value.message and "request log" not in refused.value.message


def test_an_answer_is_found_where_there_are_no_rows_here(champion: Path, explain: Explain, examples: Path) -> None:
    add_run(champion, "run", examples=examples)
    log_answer(champion, "late-77")
    assert explain(champion, "late-77").row.title.startswith("row 0 of request late-77")


def test_a_project_without_a_model_says_how_to_get_one(project: Path, explain: Explain) -> None:
    with pytest.raises(ConfigError, match="has no model to explain yet") as caught:
        explain(project, "1")
    assert "naru run" in caught.value.remedy
    with pytest.raises(ConfigError, match="has no deployed version"):
        explain(project, "1", version="2")


def test_without_a_champion_the_newest_runs_model_is_explained(
    project: Path, examples: Path, tiny_model: Path, explain: Explain
) -> None:
    add_run(project, "20130101-000000-aaaa", examples=examples, model=tiny_model)
    add_run(project, "20130102-000000-bbbb", examples=examples)
    assert explain(project, "3").model == "the model of run 20130101-000000-aaaa"
    assert explain(project, "3", run="aaaa").values == explain(project, "3").values
    with pytest.raises(ConfigError, match="run 20130102-000000-bbbb left no model"):
        explain(project, "3", run="last")


def test_a_version_that_is_not_deployed_is_refused(flown: Path, explain: Explain) -> None:
    assert explain(flown, "3", version="v4").version == "4"
    with pytest.raises(ConfigError, match="there is no deployed version '7'"):
        explain(flown, "3", version="7")
    with pytest.raises(ConfigError, match="give --version or --run, not both"):
        explain(flown, "3", version="4", run="last")


def test_an_older_version_with_another_feature_takes_no_row_of_now_and_a_request_with_it(
    flown: Path, tmp_path_factory: pytest.TempPathFactory, explain: Explain
) -> None:
    more = (Feature("gate", "float32", False),)
    model = write_model(tmp_path_factory.mktemp("older"), "binary_classification", more=more)
    store = flown / ".naru" / "store"
    base = f"{absolute_uri(str(store))}/tiny/models/0/artifacts"
    upload(model, f"{base}/model")
    line = Deployment("3", f"{base}/model", "", "", {}, "f", "gone", "2012-01-01T00:00:00+00:00", "me", "a test")
    append_deployment(str(store), "tiny", line)
    with pytest.raises(DataError, match="the rows of run run have no gate, which version 3, the champion takes"):
        explain(flown, "3")
    with pytest.raises(ConfigError, match="no rows to compare with: the rows of run run have no gate"):
        explain(flown, body=body_of({**ROW, "gate": 1.0}))
    assert explain(flown, "3", version="4").model == "version 4"


def test_a_version_without_a_run_here_is_compared_with_the_rows_that_the_store_keeps(
    champion: Path, examples: Path, tiny_model: Path, explain: Explain
) -> None:
    model = load_model(tiny_model)
    sample = take_sample(model, examples)
    assert sample is not None
    sample.save(champion / ".naru" / "store" / "tiny" / "models" / "1" / "artifacts" / SAMPLE)
    found = explain(champion, body=body_of(ROW))
    assert found.background == "test rows kept with the version" and found.explanation.shapley.rows == 60
    with pytest.raises(ConfigError, match="there are no rows here to choose from"):
        explain(champion, "3")


def test_a_real_number_is_found_however_it_is_written(flown: Path, examples: Path, explain: Explain) -> None:
    path = split_file(examples, "test", 1)
    table = pq.read_table(path)
    pq.write_table(table.set_column(3, "noise", pa.array([float(row) for row in range(60)], pa.float32())), path)
    assert explain(flown, "noise=17").values == explain(flown, "noise=17.0").values == explain(flown, "17").values


def test_lines_are_at_most_80_columns_wide_and_json_has_every_part(flown: Path, explain: Explain) -> None:
    found = explain(flown, "17", transformed=True)
    long = replace(found, values={**found.values, "carrier": "대한항공 " * 40}, outputs={"probability": [0.25] * 40})
    for one in (found, long):
        for lines in (explanation_lines(one), trace_lines(one)):
            assert max(map(cell_len, lines)) <= WIDTH
    printed = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert printed["shapley"]["values"].keys() == printed["raw"].keys() == ROW.keys()
    assert printed["second"]["name"] == "integrated gradients" and printed["agreement"]["features"] == 3


@pytest.mark.slow
def test_trace_says_what_the_server_answers(flown: Path, tmp_path: Path) -> None:
    with (flown / "project.yaml").open("a") as file:
        file.write("serve: {request_log: {}}\n")
    body = tmp_path / "body.json"
    body.write_text(json.dumps(body_of(ROW)))
    command = [sys.executable, "-m", "pipelines", "trace", str(flown), "--json-row", str(body), "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    code = "import sys; from pathlib import Path; from pipelines.serve import serve_champion; serve_champion(Path(sys.argv[1]), 0)"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(flown)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as served:
        assert served.stdout is not None
        url = next(line.split()[-1] for line in served.stdout if line.startswith("Serving version"))
        request = urllib.request.Request(f"{url}/infer", body.read_bytes(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=120) as response:
            answer = json.load(response)
        served.terminate()
    assert json.loads(done.stdout)["outputs"]["probability"] == pytest.approx(answer["outputs"][0]["data"][0], abs=1e-7)
    logged = explain_row(flown, [], None, request=answer["id"])
    assert logged.values == ROW and logged.row.answered == {"probability": answer["outputs"][0]["data"][0]}
    assert logged.score == pytest.approx(logged.row.answered["probability"], abs=1e-7)


@pytest.mark.slow
def test_a_model_that_needs_no_tensorflow_is_explained_without_it(project: Path, tmp_path: Path) -> None:
    from tests.components.frameworks.sklearn.test_onnx_conversion import exported, labels, prepared, rows, signature_of

    task, table = "binary_classification", rows()
    pipeline = prepared(LogisticRegression()).fit(table, labels(table, task))
    model = tmp_path / "trained"
    model.mkdir()
    (model / ONNX_MODEL).write_bytes(exported(pipeline, table, task)[1])
    signature_of(table, task).save(model)
    examples = tmp_path / "rows"
    for split in ("train", "test"):
        split_file(examples, split, 1).parent.mkdir(parents=True)
        pq.write_table(pa.Table.from_pandas(table, preserve_index=False), split_file(examples, split, 1))
    columns = {"month": "int64", "width": "float32", "island": "string", "height": "float32"}
    Manifest("f" * 32, columns, {"train": 120, "eval": 0, "test": 120}, [1], []).save(examples)
    add_run(project, "run", examples=examples, model=model)
    code = (
        "import sys; from pathlib import Path; from pipelines.row_explanation.explained_row import explain_row; "
        "found = explain_row(Path(sys.argv[1]), ['3'], None, transformed=True); "
        "print(found.explanation.second.name, 'tensorflow' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(project)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "coefficients x values False"
