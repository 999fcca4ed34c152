import json
from pathlib import Path
from typing import Any

import pytest

from components._core.errors import ConfigError
from components._core.project.project_file import load_project, parse_project

SMALLEST = {"name": "p", "task": "regression", "label": "y", "data": {"source": "t.csv"}}


def test_a_first_project_needs_four_fields() -> None:
    project = parse_project(SMALLEST)
    assert project.data.split.train == 0.8
    assert project.tune.trials == 0


def test_json_and_back_is_the_same_project() -> None:
    project = parse_project(
        {**SMALLEST, "schema": "s.pbtxt", "tune": {"trials": 2, "space": {"x": {"low": 1, "high": 3}}}}
    )
    assert type(project).model_validate_json(project.to_json()) == project


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lable": "y"}, "lable: unknown field; did you mean 'label'?"),
        ({"train": {"epoch": 3}}, "train.epoch: unknown field; did you mean 'epochs'?"),
        ({"train": {"epochs": "many"}}, "train.epochs: found 'many'; must be a whole number"),
        (
            {"label": ["left_30d", "left_90d"]},
            "label: found ['left_30d', 'left_90d']; must be one column: a project predicts one label: make a project for each",
        ),
        (
            {"task": "multi-label"},
            "task: found 'multi-label'; allowed: binary_classification, multiclass_classification, regression; a project predicts one",
        ),
        (
            {"task": "guess"},
            "task: found 'guess'; input should be 'binary_classification', 'multiclass_classification' or",
        ),
        ({"name": "My Project"}, "name: found 'My Project'; allowed: lower-case letters, digits and dashes"),
        ({"data": {}}, "data.source: is missing"),
        ({"train": {"epochs": True}}, "train.epochs: found True; must be a whole number"),
        ({"train": {"epochs": 2.5}}, "train.epochs: found 2.5; must be a whole number"),
        ({"train": {"seed": 2**32}}, "train.seed: found 4294967296"),
        ({"train": None}, "train: is empty: give it a value, or remove the line"),
        ({"train": 3}, "train: found 3; must be a section with fields of its own"),
        (
            {"train": {"hyperparameters": {"units": [8]}}},
            "train.hyperparameters.units: found [8]; must be text, a number",
        ),
        ({"tune": {"space": {"rate": {"lo": 1}}}}, "tune.space.rate.lo: unknown field; did you mean 'low'?"),
        ({"gates": {"data": {"drift": True}}}, "gates.data.drift: found true; must be a number"),
        ({"gates": {"data": {"drift": float("nan")}}}, "gates.data.drift: found nan; must be a finite number"),
        ({"label": 3}, "label: found 3; must be text: put it in quotes"),
        ({"label": "x" * 500 + "y", "task": "y" * 500}, "yyy..."),
        ({3: 4}, "3: found 3; the name of a field must be text"),
        ({"data": {"source": "t.csv", "exclude": "x"}}, "data.exclude: found 'x'; must be a list"),
        ({"data": {"source": "t.csv", "split": {"train": 0.9}}}, "train + eval + test must be 1, found 1.1"),
        ({"data": {"source": "t.csv", "exclude": ["y"]}}, "data.exclude names the label 'y'"),
        ({"tune": {"trials": 3}}, "trials need a space"),
        ({"tune": {"space": {"x": {"low": 2, "high": 1}}}}, "low (2) must be below high (1)"),
        ({"gates": {"model": {"thresholds": {"auc": {}}}}}, "give min, max or both"),
        ({"serve": {"threshold": 0.3}}, "serve.threshold: a regression project has no threshold; remove it"),
        ({"train": {"class_weight": "balanced"}}, "train.class_weight: a regression project has no classes"),
    ],
)
def test_a_wrong_field_is_reported_with_its_place_and_what_is_allowed(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_project({**SMALLEST, **change})
    assert message in str(error.value)
    assert "naru schema" in error.value.remedy


BINARY = {**SMALLEST, "task": "binary_classification"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"serve": {"threshold": 1}}, "serve.threshold: found 1; must be a number between 0 and 1, or the metric"),
        ({"serve": {"threshold": 0}}, "serve.threshold: found 0;"),
        ({"serve": {"threshold": True}}, "serve.threshold: found True;"),
        ({"serve": {"threshold": "recall"}}, "found 'recall'; allowed: a number between 0 and 1, or f1, balanced_acc"),
        ({"serve": {"threshold": "F1"}}, "serve.threshold: found 'F1'; did you mean 'f1'?"),
        ({"train": {"class_weight": "auto"}}, "train.class_weight: found 'auto'; must be balanced, or a weight by"),
        ({"train": {"class_weight": {}}}, "train.class_weight: found {};"),
        ({"train": {"class_weight": {"yes": 0}}}, "found 0 for the class 'yes'; a weight must be a number above 0"),
        ({"train": {"class_weight": {"yes": True}}}, "found True for the class 'yes'"),
        ({"train": {"class_weight": {"yes": float("inf")}}}, "found inf for the class 'yes'"),
        (
            {"task": "multiclass_classification", "serve": {"threshold": "f1"}},
            "a multiclass_classification project has no threshold; remove it, or set task: binary_classification",
        ),
    ],
)
def test_a_wrong_threshold_or_weight_is_reported_in_one_sentence(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_project({**BINARY, **change})
    assert message in str(caught.value)
    assert "\n  serve" not in str(caught.value) and "\n  train" not in str(caught.value)


def test_classes_of_weights_are_known_by_their_text() -> None:
    project = parse_project({**BINARY, "train": {"class_weight": {1: 20, "no": 0.5}}})
    assert project.train.class_weight == {"1": 20, "no": 0.5}
    assert parse_project({**BINARY, "train": {"class_weight": {True: 2}}}).train.class_weight == {"true": 2}


@pytest.mark.parametrize(
    "sections", [{"serve": {"threshold": "f1"}}, {"serve": {"threshold": 0.25}}, {"train": {"class_weight": {"1": 3}}}]
)
def test_a_later_key_is_in_the_json_only_when_it_is_set(sections: dict[str, Any]) -> None:
    (key,) = next(iter(sections.values()))
    assert f'"{key}"' not in parse_project(BINARY).to_json()
    project = parse_project({**BINARY, **sections})
    assert f'"{key}"' in project.to_json() and type(project).model_validate_json(project.to_json()) == project


def test_every_wrong_field_is_reported_at_once() -> None:
    with pytest.raises(ConfigError) as error:
        parse_project({"name": "p", "task": "regression"})
    assert "label: is missing" in str(error.value)
    assert "data: is missing" in str(error.value)


def write(folder: Path, text: str | bytes) -> Path:
    file = folder / "project.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


YAML = "name: p\ntask: regression\nlabel: y\ndata:\n  source: t.csv\n"


def test_a_parameter_overrides_the_file(tmp_path: Path) -> None:
    project = load_project(write(tmp_path, YAML), {"train.epochs": 3, "data.spans": 7})
    assert (project.train.epochs, project.data.spans) == (3, "7")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no fields"),
        ("- a\n", "has no fields"),
        ("name: [\n", "line 2: is not valid YAML"),
        ("name: caf\u00e9\n".encode("latin-1"), "is not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_project(write(tmp_path, text))
    assert message in str(error.value)


def test_a_file_that_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such project file"):
        load_project(tmp_path)


def test_errors_of_the_command_line_are_attributed_to_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="from the command line") as error:
        load_project(write(tmp_path, f"{YAML}tune: 3\n"), {"train.epochs": "x"})
    lines = str(error.value).splitlines()
    assert [line.strip() for line in lines[1:3]] == [
        "train.epochs: found 'x'; must be a whole number (from the command line)",
        "tune: found 3; must be a section with fields of its own",
    ]


def test_an_empty_section_can_be_set_from_the_command_line(tmp_path: Path) -> None:
    assert load_project(write(tmp_path, f"{YAML}train:\n"), {"train.epochs": 3}).train.epochs == 3


def test_a_folder_in_place_of_the_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "project.yaml").mkdir()
    with pytest.raises(ConfigError, match="cannot be read: Is a directory\n  -> name a readable file"):
        load_project(tmp_path)


def test_a_positive_value_may_be_written_as_the_table_has_it(tmp_path: Path) -> None:
    text = YAML.replace("regression", "binary_classification").replace("label: y", "label: no\npositive: true")
    project = load_project(write(tmp_path, text))
    assert (project.label, project.positive) == ("no", "true")


def test_an_override_of_no_section_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="name is not a section"):
        load_project(write(tmp_path, YAML), {"name.first": "x"})


def test_a_hyperparameter_keeps_its_kind_there_and_back() -> None:
    given = {"whole": 8, "real": 0.5, "flag": True, "word": "relu"}
    project = parse_project({**SMALLEST, "train": {"hyperparameters": given}})
    back = type(project).model_validate_json(project.to_json()).train.hyperparameters
    assert back == given
    assert [type(value) for value in back.values()] == [int, float, bool, str]


@pytest.mark.parametrize(
    ("serve", "message"),
    [
        ({"protocol": "tensorflow"}, "serve.protocol: found 'tensorflow'; input should be 'v2' or 'seldon'"),
        ({"canary": {"shares": [50, 10]}}, r"found \[50, 10\]; must grow from step to step"),
        ({"autoscaling": {"min": 3, "max": 2}}, r"min \(3\) must be at most max \(2\)"),
        (
            {"resources": {"requests": {"cpu": "4", "memory": "1Gi"}}},
            r"requests.cpu \(4\) must be at most limits.cpu \(2\)",
        ),
        (
            {"resources": {"limits": {"cpu": "4", "memory": "much"}}},
            "limits.memory: found 'much'; allowed: bytes, as in",
        ),
        ({"secret": "No Name"}, "serve.secret: found 'No Name'"),
    ],
)
def test_an_invalid_serving_config_is_reported(serve: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_project({"name": "a", "task": "regression", "label": "y", "data": {"source": "t.csv"}, "serve": serve})


BINARY = {**SMALLEST, "task": "binary_classification"}


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({**BINARY, "gates": {"model": {"thresholds": {"auk": {"min": 0.5}}}}}, r"gates.model.thresholds: 'auk' .*did you mean 'auc'"),
        ({**BINARY, "gates": {"model": {"metric": "rmse"}}}, r"gates.model.metric: 'rmse' is not a metric of a binary.*pr_auc"),
        ({**SMALLEST, "gates": {"model": {"thresholds": {"auc": {"min": 0.5}}}}}, "'auc' is not a metric of a regression"),
        ({**SMALLEST, "train": {"hyperparameters": {"l2[kernel]": 1, "l2(kernel)": 2}}}, r"'l2\[kernel\]' and 'l2\(kernel\)' are the same name"),
        ({**SMALLEST, "train": {"hyperparameters": {"a:b": 1}}, "tune": {"space": {"a*b": {"choices": [1]}}}}, "'a:b' and 'a\\*b'"),
        ({**SMALLEST, "tune": {"space": {"x" * 235: {"choices": [1]}}}}, "has 235 characters; MLflow stores 234"),
        ({**SMALLEST, "train": {"hyperparameters": {"a//b": 1}}}, "is a path"),
        ({**SMALLEST, "train": {"hyperparameters": {"": 1}}}, "is empty"),
        ({**SMALLEST, "data": {"source": "http://me:PW@host/t.csv"}}, "data.source: holds a user name or password in a URL"),
        ({**SMALLEST, "data": {"source": "s3://b/t.csv?X-Amz-Signature=PW"}}, "data.source: holds a signature"),
        ({**SMALLEST, "serve": {"request_log": {"uri": "s3://k:PW@b/x"}}}, "serve.request_log.uri: holds a user name"),
        ({**SMALLEST, "serve": {"request_log": {"mask": ["a"], "hash": ["a", "b"]}}}, "serve.request_log: hash: b must be in mask too"),
        ({**SMALLEST, "train": {"hyperparameters": {"a": "https://h/x?sig=PW"}}}, "train.hyperparameters.a: holds a signature"),
        ({**SMALLEST, "train": {"hyperparameters": {"n": 10**30}}}, "train.hyperparameters.n: a whole number of 31 digits"),
        ({**SMALLEST, "train": {"epochs": -(10**4000)}}, "train.epochs: a whole number of 4001 digits"),
    ],
)  # fmt: skip
def test_what_would_fail_or_leak_later_is_refused_where_it_is_written(raw: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        parse_project(raw)
    assert "PW" not in str(error.value)
    assert error.value.remedy


PLACEHOLDERS = [
    "{{=1+1}}", "{{$}}", "{{$.inputs.parameters['x']}}", "{{workflow.name}}", "{{ workflow.uid }}", "{{workflow.uid}}",
    "{{inputs.parameters.x}}", "{{outputs.x}}", "{{tasks.a.outputs}}", "{{steps.a.id}}", "{{pod.name}}", "{{item}}", "{{item.x}}",
    "{{node.name}}", "{{retries}}", "{{lastRetry.exitCode}}", "a {{= x}} b",
]  # fmt: skip
OTHER_BRACES = [
    "\\d{2}",
    "{{name}}",
    "{span}",
    "{{",
    "}}",
    "{{{}}}",
    "${HOME}",
    "{% if x %}",
    "{{items}}",
    "{ {workflow.uid} }",
]


@pytest.mark.parametrize("text", PLACEHOLDERS)
@pytest.mark.parametrize("kind", ["value", "name", "column"])
def test_a_placeholder_of_the_cluster_is_refused_wherever_it_stands(kind: str, text: str) -> None:
    raw = {
        "value": {**SMALLEST, "train": {"hyperparameters": {"a": text}}},
        "name": {**SMALLEST, "train": {"hyperparameters": {text: 1}}},
        "column": {**SMALLEST, "data": {"source": "t.csv", "exclude": [text]}},
    }[kind]
    with pytest.raises(ConfigError, match="a placeholder that Kubeflow Pipelines and Argo replace"):
        parse_project(raw)


@pytest.mark.parametrize("text", OTHER_BRACES)
def test_other_braces_are_left_alone(text: str) -> None:
    project = parse_project({**SMALLEST, "train": {"hyperparameters": {"a": text}}})
    assert project.train.hyperparameters["a"] == text


def test_only_a_schedule_may_name_its_run() -> None:
    schedule = {"name": "daily", "cron": "0 0 3 * * *", "parameters": {"champion": "auto {{workflow.uid}}"}}
    assert parse_project({**SMALLEST, "triggers": {"schedules": [schedule]}}).triggers.schedules
    schedule["parameters"] = {"champion": "{{workflow.name}}"}
    with pytest.raises(ConfigError, match="placeholder"):
        parse_project({**SMALLEST, "triggers": {"schedules": [schedule]}})


@pytest.mark.parametrize(
    "value", [["x"] * 9_000, {f"k{n}": n for n in range(4_000)}, "http://me:" + "P" * 9_000 + "W@host", 10**18]
)
def test_a_wrong_value_is_shown_short_and_masked(value: object) -> None:
    with pytest.raises(ConfigError) as error:
        parse_project({**SMALLEST, "code": value})
    assert len(str(error.value)) < 2_000
    assert "PPP" not in str(error.value)


def test_of_many_wrong_fields_a_few_are_reported_and_the_rest_counted() -> None:
    with pytest.raises(ConfigError, match=r"and 4,9\d\d more") as error:
        parse_project({**SMALLEST, **{f"key{n}": n for n in range(5_000)}})
    assert len(str(error.value).splitlines()) < 30


def test_a_file_of_more_than_a_megabyte_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="larger than 1 MiB"):
        load_project(write(tmp_path, YAML + "# " + "x" * (1 << 20)))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"x": {}}, "give clip, impute or both"),
        ({"x": {"clip": [5, 5]}}, r"the lowest value \(5\) must be below the highest \(5\)"),
        ({"x": {"clip": [1]}}, "transform.columns.x.clip"),
        ({"x": {"impute": True}}, "transform.columns.x.impute"),
        ({"x": {"fill": 0}}, "fill"),
        ({"y": {"impute": 0}}, "transform.columns names 'y', the label"),
        ({"id": {"impute": 0}}, "transform.columns names 'id', a column of data.exclude"),
    ],
)
def test_a_rule_for_a_column_that_makes_no_sense_is_refused(columns: dict[str, Any], message: str) -> None:
    data = {"source": "t.csv", "exclude": ["id"]}
    with pytest.raises(ConfigError, match=message):
        parse_project({**SMALLEST, "data": data, "transform": {"columns": columns}})


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"drop": {}}, "transform.drop: .*give missing, variance or correlation"),
        ({"drop": {"missing": 0}}, "transform.drop.missing"),
        ({"drop": {"missing": 1.01}}, "transform.drop.missing"),
        ({"drop": {"missing": True}}, "transform.drop.missing"),
        ({"drop": {"variance": -1}}, "transform.drop.variance"),
        ({"drop": {"correlation": 98}}, "transform.drop.correlation"),
        ({"drop": {"null": 0.9}}, "transform.drop.null"),
        ({"pca": {"columns": "numeric"}}, "transform.pca.components"),
        (
            {"pca": {"columns": "all", "components": 2}},
            "transform.pca.columns: .*found 'all'; allowed: numeric, or a list",
        ),
        ({"pca": {"columns": [], "components": 2}}, "transform.pca.columns"),
        ({"pca": {"columns": ["x"], "components": 0}}, "transform.pca.components: .*found 0; allowed: a whole number"),
        ({"pca": {"columns": ["x"], "components": True}}, "transform.pca.components"),
        (
            {"pca": {"columns": ["x"], "components": 1.0}},
            r"found 1.0; allowed: .* a share of the variance between 0 and 1",
        ),
        ({"pca": {"columns": ["x"], "components": 1.5}}, "found 1.5"),
        ({"pca": {"columns": ["x"], "components": "most"}}, "found 'most'"),
        ({"pca": {"columns": ["x"], "components": 2}}, r"components is 2, more than the columns \(1\)"),
        ({"pca": {"columns": ["x", "x"], "components": 1}}, "columns has 'x' twice"),
        ({"pca": {"columns": ["y"], "components": 1}}, "transform.pca.columns names 'y', the label"),
        ({"pca": {"columns": ["id"], "components": 1}}, "transform.pca.columns names 'id', a column of data.exclude"),
        (
            {"pca": {"columns": ["day"], "components": 1}},
            "names 'day', whose type in data.columns is date; only numbers",
        ),
        (
            {"pca": {"columns": ["x"], "components": 1, "name": "p c"}},
            "transform.pca.name: found 'p c'; allowed: letters",
        ),
    ],
)
def test_a_rule_that_drops_or_reduces_columns_and_makes_no_sense_is_refused(
    rules: dict[str, Any], message: str
) -> None:
    data = {"source": "t.csv", "exclude": ["id"], "columns": {"day": {"type": "date"}}}
    with pytest.raises(ConfigError, match=f"(?s){message}"):
        parse_project({**SMALLEST, "data": data, "transform": rules})


def test_rules_that_drop_or_reduce_columns_survive_json_and_leave_that_of_other_projects() -> None:
    assert parse_project({**SMALLEST, "transform": {"columns": {"x": {"impute": 0}}}}).transform.model_dump() == {
        "columns": {"x": {"clip": None, "impute": 0}}
    }
    rules = {"drop": {"missing": 1}, "pca": {"columns": "numeric", "components": 0.9}}
    project = parse_project({**SMALLEST, "transform": rules})
    assert parse_project(json.loads(project.to_json())) == project and '"pca":' in project.to_json()
    whole = parse_project({**SMALLEST, "transform": {"pca": {"columns": ["x"], "components": 1}}})
    assert isinstance(parse_project(json.loads(whole.to_json())).transform.pca.components, int)


def test_a_project_without_rules_for_columns_has_the_json_that_it_had() -> None:
    assert "transform" not in parse_project(SMALLEST).to_json()
    rules = {"columns": {"x": {"clip": [0.0, 1.5], "impute": "median"}}}
    again = parse_project(json.loads(parse_project({**SMALLEST, "transform": rules}).to_json()))
    assert again.transform.columns["x"].clip == (0, 1.5) and again.transform.columns["x"].impute == "median"
