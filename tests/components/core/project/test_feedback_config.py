from typing import Any

import pytest

from components._core.errors import ConfigError
from components._core.project.feedback_config import Feedback
from components._core.project.project_file import Project, parse_project
from components._core.project.stage_config import EVERYTHING, restrict
from components.stages import STAGES

PROJECT = {"name": "flights", "task": "binary_classification", "label": "late", "data": {"source": "a.csv"}}
LABELS = {"source": "labels", "id": "request_id"}


def parsed(**feedback: Any) -> Project:
    return parse_project({**PROJECT, "feedback": {"labels": LABELS, **feedback}})


def feedback_of(project: Project) -> Feedback:
    assert project.feedback is not None
    return project.feedback


def test_a_project_without_feedback_is_written_as_before() -> None:
    assert "feedback" not in parse_project(PROJECT).to_json()
    assert "feedback" in parsed().to_json()


def test_defaults_are_those_of_the_contract() -> None:
    feedback = feedback_of(parsed())
    assert (feedback.wait, feedback.min_coverage, feedback.labels.unknown_limit) == ("14d", 0.8, 0.05)
    assert feedback.labels.row == feedback.labels.time == "" and feedback.first_span == 1


def test_an_endpoint_does_without_a_source_and_needs_the_log_whose_answers_get_the_labels() -> None:
    serve = {"request_log": {}}
    alone = parse_project({**PROJECT, "serve": serve, "feedback": {"endpoint": True}})
    assert feedback_of(alone).labels is None and not feedback_of(parsed()).endpoint
    with pytest.raises(ConfigError, match=r"feedback\.endpoint needs serve\.request_log"):
        parsed(endpoint=True)
    with pytest.raises(ConfigError, match="neither labels, which name their source, nor endpoint"):
        parse_project({**PROJECT, "serve": serve, "feedback": {"wait": "7d"}})


@pytest.mark.parametrize(
    ("feedback", "message"),
    [
        ({"features": "from source", "labels": None}, "features: from source needs every label from labels.source"),
        ({"features": "from source"}, "features: from source needs every label from labels.source"),
        ({"labels": {"source": "labels", "key": ["flight"]}}, "labels that are posted name their answers by id"),
    ],
)
def test_an_endpoint_refuses_what_a_posted_label_does_not_have(feedback: dict[str, Any], message: str) -> None:
    section = {"labels": LABELS, **feedback, "endpoint": True}
    with pytest.raises(ConfigError, match=message):
        parse_project({**PROJECT, "serve": {"request_log": {}}, "feedback": section})


def test_no_stage_sees_the_section_unless_its_spec_names_it() -> None:
    raw = parsed().model_dump(by_alias=True, exclude_none=True)
    assert "feedback" not in restrict(raw, EVERYTHING) and "feedback" in restrict(raw, ["feedback"])
    for spec in STAGES.values():
        assert ("feedback" in restrict(raw, spec.reads)) == ("feedback" in spec.reads)


@pytest.mark.parametrize(
    ("feedback", "message"),
    [
        ({"wait": "soon"}, "feedback.wait: found 'soon'; allowed: a number with a unit"),
        ({"wait": "0d"}, "feedback.wait: found '0d'; must be above 0"),
        ({"wait": "30d", "keep": "7d"}, "keep (7d) must be at least wait (30d)"),
        ({"spans": "spans/x.parquet"}, "must have {span} once"),
        ({"spans": "spans/{span}.csv"}, "must end in .parquet"),
        ({"columns": {"time": "t", "id": "t"}}, "columns has 't' twice"),
        ({"columns": {"id": "late"}}, "feedback.columns names the label 'late'"),
        ({"columns": {"delay": "t"}}, "feedback.columns"),
        ({"min_rows": 0}, "feedback.min_rows"),
        ({"features": "from labels"}, "feedback.features"),
        ({"labels": {**LABELS, "key": ["flight"]}}, "give key or id, not both; remove id, or key"),
        ({"labels": {"source": "labels", "key": ["flight", "flight"]}}, "key has 'flight' twice"),
        ({"labels": {**LABELS, "join": [{"source": "b.csv"}]}}, "feedback.labels.join.0.on"),
        ({"labels": {"id": "x"}}, "feedback.labels.source"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_path(feedback: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        parsed(**feedback)
    assert message in str(error.value)


def test_a_request_log_may_be_in_s3_or_google_cloud_storage() -> None:
    for uri in ("s3://bucket/flights/requests", "gs://bucket/flights/requests"):
        log = parse_project({**PROJECT, "serve": {"request_log": {"uri": uri}}}).serve.request_log
        assert log is not None and log.uri == uri
    for uri in ("gs://bucket", "gcs://bucket/x", "requests"):
        with pytest.raises(ConfigError, match=r"serve\.request_log\.uri"):
            parse_project({**PROJECT, "serve": {"request_log": {"uri": uri}}})
