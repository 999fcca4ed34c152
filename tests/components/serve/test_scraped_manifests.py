"""Alert rules and dashboard against a real server: each metric is there, and has each label that an expression names.

An expression is cut into tokens, which is enough to know its metrics, the labels of each selector, and those it sums by.
"""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, get_args

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from components._core.project.monitor_config import MonitorKind
from components._core.project.trigger_config import Kind
from components._predictor.refusals import STATUS
from components.watch.records import Step
from pipelines.cluster.overlay import OVERLAYS
from tests.components.deploy.targets.seldon.made import rendered
from tests.components.serve.conftest import Running
from tests.components.serve.test_mlserver_runtime import infer
from tests.components.serve.test_request_log import wait_until

COMPONENTS = OVERLAYS.parent / "components"
DASHBOARD = COMPONENTS / "dashboard" / "naru-models.json"
OF_PROMETHEUS = frozenset({"namespace", "pod", "container", "endpoint", "job", "instance"})
"""Labels that the operator gives to each target of a PodMonitor."""
FUNCTIONS = frozenset("sum min max rate increase histogram_quantile label_values".split())
WORDS = frozenset("by on group_left and or unless".split())
LISTS = frozenset({"by", "on", "group_left"})
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[A-Za-z_:][\w:]*|=~|!~|!=|>=|<=|==|[{}()\[\],=<>*/+-]|[\d.]+[smhdw]?|\$\w+')
MATCH = frozenset({"=", "!=", "=~", "!~"})


@dataclass
class Read:
    """What an expression names.

    Attributes:
        matchers: Label and value of each matcher, by metric.
        lists: Labels of `by`, `on` and `group_left`.
    """

    matchers: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    lists: set[str] = field(default_factory=set)


def read(expression: str) -> Read:
    """Read the names of an expression."""
    tokens = TOKEN.findall(expression)
    assert re.sub(r"\s", "", "".join(tokens)) == re.sub(r"\s", "", expression), "a character that is no token"
    found, place = Read(), 0
    while place < len(tokens):
        token = tokens[place]
        place += 1
        if token in LISTS:
            end = tokens.index(")", place)
            found.lists.update(name for name in tokens[place + 1 : end] if name != ",")
            place = end
        elif re.match(r"[A-Za-z_]", token) and token not in FUNCTIONS | WORDS:
            matchers = found.matchers.setdefault(token, [])
            if tokens[place : place + 1] == ["{"]:
                end = tokens.index("}", place)
                inside = [each for each in tokens[place + 1 : end] if each != ","]
                for label, operator, value in zip(inside[::3], inside[1::3], inside[2::3], strict=True):
                    assert operator in MATCH
                    matchers.append((label, json.loads(value)))
                place = end
        elif token == "[":
            place = tokens.index("]", place)
    return found


def test_the_names_of_an_expression_are_found() -> None:
    found = read('max by (a) (x_total{b="1", c=~"2|3"} == 2 and on (d) y[5m]) / sum(rate(z{}[10m])) > 0.5')
    assert found.matchers == {"x_total": [("b", "1"), ("c", "2|3")], "y": [], "z": []} and found.lists == {"a", "d"}
    with pytest.raises(AssertionError):
        read("x ? y")


@pytest.fixture(scope="module")
def exposed(server: Running) -> dict[str, set[str]]:
    """Labels by metric, as Prometheus has them: the server's own, and those of the target."""
    infer(server)

    def page() -> str:
        with urllib.request.urlopen(server.metrics, timeout=120) as response:
            return str(response.read().decode())

    wait_until(lambda: "naru_monitor_metric_offline" in page() and "naru_trigger_records{" in page())
    (monitor,) = yaml.safe_load_all((COMPONENTS / "monitoring" / "metrics.yaml").read_text())
    of_pods = monitor["spec"]["podTargetLabels"]
    assert set(of_pods) <= set(rendered()["spec"]["predictors"][0]["labels"])
    target = OF_PROMETHEUS | {re.sub(r"\W", "_", label) for label in of_pods}
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(page()):
        for sample in family.samples:
            assert target.isdisjoint(sample.labels), "Prometheus would rename it to exported_..."
            found.setdefault(sample.name, set(target)).update(sample.labels)
    return found


def rules() -> list[dict[str, Any]]:
    raw = yaml.safe_load((COMPONENTS / "monitoring" / "models.yaml").read_text())
    return [rule for group in raw["spec"]["groups"] for rule in group["rules"]]


def panels() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel.get("targets", ()):
            yield panel, target


def check(expression: str, exposed: dict[str, set[str]]) -> Read:
    """Hold an expression against what is exposed."""
    found = read(expression)
    assert found.matchers, expression
    labels: set[str] = set()
    for metric, matchers in found.matchers.items():
        assert metric in exposed, f"{expression}: no server exposes {metric}"
        labels |= exposed[metric]
        for label, value in matchers:
            assert label in exposed[metric], f"{expression}: {metric} has no label {label}"
            allowed = {"kind": {*get_args(MonitorKind)}, "code": {*STATUS, "unexpected"}, "state": {"final", "partial"}}
            if metric.startswith("naru_trigger_"):
                allowed = {"kind": {*get_args(Kind)}, "state": {*get_args(Step)}}
            if label in allowed:
                assert set(value.split("|")) <= allowed[label], f"{expression}: {label} is never {value}"
    assert found.lists <= labels, f"{expression}: no metric has {found.lists - labels}"
    return found


def test_each_alert_rule_names_metrics_and_labels_that_a_server_exposes(exposed: dict[str, set[str]]) -> None:
    assert len(rules()) >= 7
    for rule in rules():
        found = check(rule["expr"], exposed)
        texts = " ".join(rule["annotations"].values())
        used = set(re.findall(r"\$labels\.(\w+)", texts))
        assert used and used <= found.lists, f"{rule['alert']}: an alert has the labels that it is summed by alone"
        assert (
            rule["labels"]["severity"] in ("warning", "critical")
            and {"summary", "description"} <= rule["annotations"].keys()
        )


def test_alarms_of_an_old_result_do_not_alert_and_its_age_does() -> None:
    by_name = {rule["alert"]: rule["expr"] for rule in rules()}
    (stale,) = re.findall(r"naru_monitor_result_age_seconds\) > (\d+)", by_name["NaruMonitorStale"])
    for name in ("NaruDataBroken", "NaruMonitorAlarm"):
        assert f"and on (namespace, pod) naru_monitor_window_age_seconds < {stale}" in by_name[name]


def test_the_alert_of_a_source_that_is_away_goes_by_what_holds_and_not_by_the_age_of_a_record() -> None:
    (expression,) = [rule["expr"] for rule in rules() if rule["alert"] == "NaruTriggerCannotRead"]
    assert expression == "max by (namespace, naru_project, trigger) (naru_trigger_source_unreadable) == 1"


def test_each_panel_of_the_dashboard_shows_metrics_and_labels_that_a_server_exposes(
    exposed: dict[str, set[str]],
) -> None:
    seen: set[str] = set()
    for panel, target in panels():
        expression = target["expr"].replace("$__rate_interval", "5m")
        found = check(expression, exposed)
        seen |= found.matchers.keys()
        for metric, matchers in found.matchers.items():
            assert ("naru_project", "$project") in matchers, f"{panel['title']}: {metric} of every project"
        used = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
        known = found.lists or set().union(*(exposed[metric] for metric in found.matchers))
        assert used <= known, f"{panel['title']}: the legend has {used - known}"
    stages = ("naru_monitor_", "naru_trigger_")
    monitor = {name for name in exposed if name.startswith(stages) and not name.endswith("_total")}
    assert monitor - seen <= {"naru_monitor_checks_left_out", "naru_monitor_requests"}, (
        "what the monitor found and triggers did is shown"
    )


def test_the_dashboard_lists_projects_by_a_metric_and_a_label_that_are_there(exposed: dict[str, set[str]]) -> None:
    raw = json.loads(DASHBOARD.read_text())
    variables = {each["name"]: each for each in raw["templating"]["list"]}
    metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variables["project"]["query"]["query"]).groups()  # type: ignore[union-attr]
    assert label in exposed[metric] and variables["source"]["type"] == "datasource"
    ids = [panel["id"] for panel in raw["panels"]]
    assert len(ids) == len(set(ids)) and raw["uid"] == "naru-models"
